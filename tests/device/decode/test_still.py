"""Every odd picture is decoded rightly or refused with a fault that its sender can act on."""

import io
import resource
import time
import tracemalloc
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile, ImageOps

from device.core.errors import DecodeError, DecodeFault
from device.decode import decode
from device.decode.header import read_header
from device.drawing import add_vignette
from tests.builders import a_picture

pytestmark = pytest.mark.portable

MAX_PIXELS = 25_000_000


def encoded(image, kind="JPEG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def picture(height_px=150, width_px=200):
    return Image.fromarray(a_picture(height_px=height_px, width_px=width_px))


def fault_of(content, **options):
    with pytest.raises(DecodeError) as caught:
        decode(content, **{"max_pixels": MAX_PIXELS, "enough_px": 512, **options})
    assert "expected" in str(caught.value)
    return caught.value.fault


def test_a_png_comes_out_as_it_went_in():
    """Channels are red, green, blue; nothing is lost."""
    image = picture()
    result = decode(encoded(image, "PNG"), max_pixels=MAX_PIXELS, enough_px=512)
    assert np.array_equal(result, np.asarray(image))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_a_jpeg_comes_out_nearly_as_it_went_in(options):
    image = picture()
    result = decode(encoded(image, quality=95, **options), max_pixels=MAX_PIXELS, enough_px=512)
    assert np.abs(result.astype(int) - np.asarray(image)).mean() < 2


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_every_exif_orientation_comes_out_upright(orientation, kind):
    pixels = np.zeros((96, 160, 3), dtype=np.uint8)
    pixels[:48, :80, 0] = 250
    pixels[:48, 80:, 1] = 250
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(Image.fromarray(pixels), kind, exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))))
    result = decode(content, max_pixels=MAX_PIXELS, enough_px=512)
    assert result.shape == expected.shape
    assert np.abs(result.astype(int) - expected).mean() < 2


def test_an_orientation_that_does_not_exist_is_upright():
    exif = Image.Exif()
    exif[0x0112] = 99
    result = decode(encoded(picture(), exif=exif), max_pixels=MAX_PIXELS, enough_px=512)
    assert result.shape == (150, 200, 3)


@pytest.mark.parametrize("mode", ["L", "1", "P"])
def test_gray_and_palette_pictures_become_rgb(mode):
    image = picture().convert(mode)
    result = decode(encoded(image, "PNG"), max_pixels=MAX_PIXELS, enough_px=512)
    assert np.array_equal(result, np.asarray(image.convert("RGB")))


def test_a_gray_jpeg_becomes_rgb():
    result = decode(encoded(picture().convert("L")), max_pixels=MAX_PIXELS, enough_px=512)
    assert result.shape == (150, 200, 3)
    assert np.array_equal(result[:, :, 0], result[:, :, 2])


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_an_opaque_alpha_channel_is_dropped(mode):
    image = picture().convert(mode)
    result = decode(encoded(image, "PNG"), max_pixels=MAX_PIXELS, enough_px=512)
    assert np.array_equal(result, np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_pixels_are_refused(mode):
    image = picture().convert(mode)
    image.putalpha(200)
    assert fault_of(encoded(image, "PNG")) is DecodeFault.UNSUPPORTED


def test_a_transparent_palette_colour_is_refused():
    content = encoded(picture().convert("P"), "PNG", transparency=3)
    assert fault_of(content) is DecodeFault.UNSUPPORTED


def test_cmyk_is_refused():
    assert fault_of(encoded(picture().convert("CMYK"))) is DecodeFault.UNSUPPORTED


@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_are_refused(channels):
    pixels = a_picture().astype(np.uint16)[:, :, :channels] * 257
    _, content = cv2.imencode(".png", pixels)
    assert fault_of(content.tobytes()) is DecodeFault.UNSUPPORTED


def test_an_animation_is_refused():
    image = picture()
    content = encoded(image, "PNG", save_all=True, append_images=[image.rotate(90)])
    assert fault_of(content) is DecodeFault.UNSUPPORTED


def test_of_a_phones_double_jpeg_the_first_picture_counts():
    image = picture()
    content = encoded(image, "MPO", save_all=True, append_images=[image.rotate(180)])
    result = decode(content, max_pixels=MAX_PIXELS, enough_px=512)
    assert np.abs(result.astype(int) - np.asarray(image)).mean() < 4


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "BMP", "WEBP"])
def test_other_formats_are_refused(kind):
    assert fault_of(encoded(picture(), kind)) is DecodeFault.NOT_A_PICTURE


@pytest.mark.parametrize("content", [b"hello", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"\0" * 999])
def test_what_is_no_picture_is_refused(content):
    assert fault_of(content) is DecodeFault.NOT_A_PICTURE


def test_no_bytes_are_refused():
    assert fault_of(b"") is DecodeFault.EMPTY


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_file_is_refused(kind, share):
    """Never half a picture, the rest gray."""
    content = encoded(picture(), kind)
    assert fault_of(content[: int(share * len(content))]) in {
        DecodeFault.TRUNCATED,
        DecodeFault.NOT_A_PICTURE,
    }


def without(content, start, end):
    """Cut a share of what follows the tables out of a JPEG, and end it properly."""
    scan = content.index(b"\xff\xda") + 14
    size = len(content) - 2 - scan
    return content[: scan + int(start * size)] + content[scan + int(end * size) : -2] + b"\xff\xd9"


@pytest.mark.parametrize("enough_px", [1000, 64])
@pytest.mark.parametrize("add", [lambda pixels, _: pixels, add_vignette])
@pytest.mark.parametrize("options", [{}, {"quality": 95, "optimize": True}, {"subsampling": 0}])
@pytest.mark.parametrize(("start", "end"), [(0.35, 0.65), (0.2, 0.3), (0.5, 1)])
def test_a_jpeg_with_a_hole_is_refused(start, end, options, add, enough_px):
    """Whatever the vignette at its end; gray rows are no part of a lesion."""
    pixels = add(a_picture(height_px=600, width_px=800), np.random.default_rng(1))
    content = without(encoded(Image.fromarray(pixels), **options), start, end)
    assert fault_of(content, enough_px=enough_px) is DecodeFault.TRUNCATED


@pytest.mark.parametrize("kind", [b"IDAT", b"tEXt", b"none"])
@pytest.mark.parametrize("promised_bytes", [10**5, 10**9, 2**32 - 1])
def test_what_a_png_promises_and_does_not_hold_costs_nothing(promised_bytes, kind):
    """Found by the fuzzer: OpenCV set that much memory aside."""
    content = encoded(picture(), "PNG")
    head, data = content[:33], content[33:]
    assert data[4:8] == b"IDAT"
    content = head + promised_bytes.to_bytes(4, "big") + kind + data[8:]
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert fault_of(content) in {DecodeFault.TRUNCATED, DecodeFault.NOT_A_PICTURE}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < peak_kb + 50_000


def test_what_a_png_promises_behind_an_end_without_a_picture_costs_nothing():
    """Found by the fuzzer, too: there OpenCV does not stop."""
    content = encoded(picture(), "PNG")
    content = content[:33] + content[-12:] + b"\xff\xff\xff\xffIDAT" + bytes(100)
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert fault_of(content) is DecodeFault.TRUNCATED
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < peak_kb + 50_000


def test_a_png_that_ends_without_its_end_is_refused():
    assert fault_of(encoded(picture(), "PNG")[:-12]) is DecodeFault.TRUNCATED


def test_what_lies_behind_the_end_of_a_png_does_not_matter():
    content = encoded(picture(), "PNG") + b"more"
    assert decode(content, max_pixels=MAX_PIXELS, enough_px=512).shape == (150, 200, 3)


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("quality", [30, 75, 95, 100])
@pytest.mark.parametrize("level", [0, 1, 60, 127, 128, 129, 255])
def test_a_frame_of_one_gray_is_not_damaged(level, quality, mode):
    image = Image.new("RGB", (640, 480), (level,) * 3).convert(mode)
    for enough_px in (512, 64):
        result = decode(encoded(image, quality=quality), max_pixels=10**6, enough_px=enough_px)
        assert np.abs(result.astype(int) - level).max() <= 3


@pytest.mark.parametrize("quality", [30, 75, 95, 100])
@pytest.mark.parametrize("seed", range(5))
def test_vignettes_and_bars_are_not_damage(seed, quality):
    rng = np.random.default_rng(seed)
    framed = add_vignette(a_picture(seed, height_px=480, width_px=640), rng)
    black_below, gray_bars = framed.copy(), framed.copy()
    black_below[-64:] = 0
    gray_bars[:64] = gray_bars[-64:] = 128
    for pixels in (framed, black_below, gray_bars):
        content = encoded(Image.fromarray(pixels), quality=quality)
        for enough_px in (512, 64):
            decode(content, max_pixels=MAX_PIXELS, enough_px=enough_px)


def with_scans(content, times):
    """Repeat the last scan of a JPEG."""
    end = len(content) - 2
    return content[:end] + times * content[content.rindex(b"\xff\xda") : end] + b"\xff\xd9"


def test_a_jpeg_of_many_scans_is_refused_before_they_are_gone_over():
    """Each costs as much as all pixels, and a few bytes: minutes of work in a small file."""
    content = with_scans(encoded(Image.new("RGB", (5000, 5000)), progressive=True), 100)
    began_s = time.process_time()
    assert fault_of(content) is DecodeFault.UNSUPPORTED
    assert time.process_time() - began_s < 0.5


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_the_scans_of_a_usual_jpeg_are_not_too_many(options):
    content = encoded(picture(), **options)
    scans = content.count(b"\xff\xda")
    assert fault_of(with_scans(content, 65 - scans)) is DecodeFault.UNSUPPORTED
    for times in (0, 64 - scans) if options else (0,):
        result = decode(with_scans(content, times), max_pixels=MAX_PIXELS, enough_px=512)
        assert result.shape == (150, 200, 3)


@pytest.mark.parametrize("fill", [b"", b"\xff\xff", b"\xff\x00", b"\xff\xd0", b"\xff\x01"])
def test_scans_are_found_behind_whatever_the_decoder_passes_over(fill):
    content = encoded(picture(), progressive=True)
    scan = content[content.rindex(b"\xff\xda") : -2]
    content = content[:-2] + 100 * (fill + scan) + b"\xff\xd9"
    assert fault_of(content) is DecodeFault.UNSUPPORTED


@pytest.mark.parametrize("small", [b"\xff\xfe\x00\x02", b"\xff\x01"])
def test_looking_for_scans_is_no_long_work_either(small):
    content = encoded(picture(), progressive=True)
    place = content.rindex(b"\xff\xda")
    content = content[:place] + 10**6 * small + content[place:]
    began_s = time.process_time()
    if small[1] == 1:
        read_header(content, max_pixels=MAX_PIXELS)  # No segment, and nothing to the decoder.
    else:
        assert fault_of(content) is DecodeFault.UNSUPPORTED
    assert time.process_time() - began_s < 0.5


def test_scans_within_a_thumbnail_or_behind_the_picture_do_not_count():
    """A phone puts its thumbnail before the picture, and a film or a second picture behind it."""
    content = encoded(picture(), comment=100 * b"\xff\xda") + 100 * b"\xff\xda"
    assert decode(content, max_pixels=MAX_PIXELS, enough_px=512).shape == (150, 200, 3)


def test_a_picture_of_a_few_pixels_is_refused():
    assert fault_of(encoded(picture(63, 400))) is DecodeFault.TOO_SMALL


def test_too_many_pixels_are_refused_and_the_limit_itself_is_not():
    content = encoded(picture(), "PNG")
    assert fault_of(content, max_pixels=150 * 200 - 1) is DecodeFault.TOO_LARGE
    assert decode(content, max_pixels=150 * 200, enough_px=512).shape == (150, 200, 3)


def test_a_picture_beyond_what_pillow_reads_has_too_many_pixels():
    content = bytearray(encoded(picture(), "PNG"))
    content[16:24] = (50_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    assert fault_of(bytes(content)) is DecodeFault.TOO_LARGE


def test_a_picture_that_unpacks_to_64_megapixels_costs_no_memory():
    """It is refused by its header; nothing is unpacked."""
    content = encoded(Image.new("L", (8000, 8000)), "PNG")
    tracemalloc.start()
    try:
        assert fault_of(content) is DecodeFault.TOO_LARGE
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < len(content) + 2**20


@pytest.mark.parametrize(
    ("enough_px", "expected"),
    [(1000, (1200, 1600)), (300, (600, 800)), (150, (300, 400)), (64, (150, 200))],
)
def test_a_large_jpeg_is_unpacked_at_the_scale_that_is_needed(enough_px, expected):
    """The shorter side keeps at least twice what was asked for, as far as it had it."""
    content = encoded(picture(1200, 1600), quality=90)
    result = decode(content, max_pixels=MAX_PIXELS, enough_px=enough_px)
    assert result.shape == (*expected, 3)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_files_are_decoded_or_refused_and_nothing_else(data):
    """Whatever bytes are changed, the only error is a refusal."""
    content = bytearray(encoded(picture(70, 90), data.draw(st.sampled_from(["JPEG", "PNG"]))))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        result = decode(bytes(content), max_pixels=MAX_PIXELS, enough_px=64)
    except DecodeError:
        return
    assert result.dtype == np.uint8
    assert result.shape[2] == 3


@pytest.mark.parametrize("has_exif", [False, True])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "MPO"])
def test_the_header_is_read_without_decoding(kind, has_exif, monkeypatch):
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(picture(), kind, **({"exif": exif} if has_exif else {}))
    unpacked = []
    monkeypatch.setattr(ImageFile.ImageFile, "load", unpacked.append)
    header = read_header(content, max_pixels=MAX_PIXELS)
    assert (header.width_px, header.height_px) == (200, 150)
    assert header.is_jpeg == (kind != "PNG")
    assert header.orientation == (6 if has_exif else 1)
    assert not unpacked
