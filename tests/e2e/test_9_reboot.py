"""The last resort, and so the last test: the board is off afterwards."""

from tests.e2e.board import ROOT, wait_for


def test_a_service_that_cannot_start_stays_down_and_says_so(board):
    """Ten starts in ten minutes; a start takes as long as it takes to see that the link is gone."""
    board.root("systemctl stop edgederm; mv /opt/edgederm/current /opt/edgederm/away")
    try:
        board.root("systemctl reset-failed edgederm; systemctl start edgederm", check=False)
        wait_for(lambda: board.service("ActiveState") == "failed", 60)
        said = board.root("journalctl -u edgederm -n 30 -o cat --no-pager")
        assert "Start request repeated too quickly" in said
        assert int(board.service("NRestarts")) >= 9
    finally:
        board.root("mv /opt/edgederm/away /opt/edgederm/current; systemctl reset-failed edgederm")
        board.root("systemctl start edgederm")


def test_where_it_is_wanted_the_board_is_rebooted_then(board):
    board.put_bytes(
        (ROOT / "systemd/edgederm.service.d/reboot.conf").read_bytes(),
        "/etc/systemd/system/edgederm.service.d/reboot.conf",
    )
    board.root("systemctl daemon-reload; mv /opt/edgederm/current /opt/edgederm/away")
    board.keep_journal()
    board.root("systemctl restart edgederm --no-block")
    assert board.wait_for_reboot(60)
