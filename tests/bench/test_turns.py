"""Contestants take turns, and another one begins each round."""

from bench.turns import in_turns


def test_everybody_has_a_turn_in_every_round():
    seen, rounds = [], []
    found = in_turns(
        {name: (lambda n=name: seen.append(n)) for name in "abc"},
        rounds=5,
        turn_s=0.0,
        step=lambda: rounds.append(1),
    )
    assert {name: len(samples) for name, samples in found.items()} == dict.fromkeys("abc", 5)
    assert len(rounds) == 5
    # Two to warm up, then at least three repetitions for each turn.
    assert seen.count("a") == 2 + 5 * 3
    after_warm_up = seen[6:]
    firsts = [after_warm_up[round_ * 9] for round_ in range(5)]
    assert firsts == ["a", "b", "c", "a", "b"]
