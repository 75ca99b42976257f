"""Every kind of source is made on the fly, from images that carry the number of their row in their pixels."""

import hashlib
import io
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from conftest import REAL_DATA
from sklearn.model_selection import train_test_split

from fastlr import datasets
from fastlr.datasets import drawing, fetch_sign_digits, load_sign_digits

STARTS = np.array([0, 204, 409, 615, 822, 1028, 1236, 1443, 1649, 1855])  # of the well-known pair's ten blocks
SHOWN = {0: 9, 1: 0, 2: 7, 3: 6, 4: 1, 5: 8, 6: 4, 7: 3, 8: 2, 9: 5}  # by the label of its Y.npy


def numbered_images(count):
    images = np.full((count, 64, 64), 100, dtype=np.uint8)
    images[:, 0, 0], images[:, 63, 63] = np.divmod(np.arange(count), 256)
    return images


def rows_of(images):
    return (256 * images[:, 0, 0].astype(int) + images[:, 63, 63]).tolist()


def block_numbers():
    return np.searchsorted(STARTS, np.arange(2062), side="right") - 1


def write_pair(folder, X, Y):
    np.save(folder / "X.npy", X)
    np.save(folder / "Y.npy", Y)
    return folder


def write_npz(folder, **arrays):
    np.savez(folder / "signs.npz", **arrays)
    return folder / "signs.npz"


def png(image):
    buffer = io.BytesIO()
    pytest.importorskip("PIL.Image").fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def class_files(counts, root="Dataset"):
    """{path: PNG} with the given number of images of each digit; their numbers run on from digit to digit."""
    images = iter(numbered_images(sum(counts.values())))
    return {f"{root}/{digit}/IMG_{i:03}.png": png(next(images)) for digit, n in counts.items() for i in range(n)}


def write_files(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def snapshot(folder):
    return {p: (p.stat().st_mtime_ns, p.read_bytes() if p.is_file() else None) for p in folder.rglob("*")}


def check_bunch(bunch, digits, n_each):
    assert bunch.images.dtype == np.uint8 and bunch.images.shape == (2 * n_each, 64, 64)
    assert bunch.images.flags.writeable and bunch.images.flags.owndata and bunch.images.flags.c_contiguous
    assert bunch.target.dtype == np.int64 and bunch.target.tolist() == [0] * n_each + [1] * n_each
    assert bunch.digits == digits and all(type(digit) is int for digit in bunch.digits)
    assert f"{2 * n_each} " in bunch.description and f"{digits[0]} and {digits[1]}" in bunch.description


# Drawn images


@pytest.mark.parametrize("digits", [(0, 1), (1, 0), (2, 3), (4, 5), (6, 7), (9, 8)])
def test_drawn_images_of_any_two_digits(digits):
    bunch = load_sign_digits(digits=digits)
    check_bunch(bunch, digits, 205)
    assert "drawn" in bunch.description and "no real photographs" in bunch.description
    assert len({image.tobytes() for image in bunch.images}) == 410
    assert bunch.images.std(axis=(1, 2)).min() > 8  # none is blank


def test_drawn_images_of_a_digit_do_not_depend_on_the_other_digit():
    forth, back = load_sign_digits(digits=(0, 1)).images, load_sign_digits(digits=(1, 0)).images
    np.testing.assert_array_equal(forth[:205], back[205:])
    np.testing.assert_array_equal(load_sign_digits(digits=(5, 1)).images[205:], forth[205:])


def test_drawn_images_are_the_same_everywhere():
    # The numbers that documents quote for these images hold for this digest only.
    expected = "0f4d649d96d8953840364cef53b46eec5b181d6c7ab9c2a393c14398576d68d4"
    assert hashlib.sha256(load_sign_digits().images.tobytes()).hexdigest() == expected
    drawing.draw_digit.cache_clear()
    assert hashlib.sha256(load_sign_digits().images.tobytes()).hexdigest() == expected


def test_drawn_images_leave_something_to_learn():
    bunch = load_sign_digits()
    pixels = bunch.images.reshape(410, -1) / 255
    X, X_test, y, y_test = train_test_split(pixels, bunch.target, test_size=0.15, random_state=42)
    w, b, scores = np.full(4096, 0.01), 0.0, {}
    for iteration in range(151):
        if iteration in (10, 150):
            scores[iteration] = [np.mean((part @ w + b > 0) == t) for part, t in ((X, y), (X_test, y_test))]
        residual = 1 / (1 + np.exp(-(X @ w + b))) - y
        w, b = w - 0.01 * X.T @ residual / 348, b - 0.01 * residual.mean()
    assert len(X) == 348 and scores[10][0] < 0.8
    assert 0.85 <= scores[150][0] <= 0.97 and scores[150][1] > 0.8


# The well-known pair


@pytest.mark.parametrize("one_hot", [True, False])
@pytest.mark.parametrize("naming", ["blocks", "digits", "other"])
def test_pair_in_the_well_known_order(tmp_path, naming, one_hot):
    names = {"blocks": np.arange(10), "digits": np.array(list(SHOWN.values())), "other": (np.arange(10) * 7 + 2) % 10}
    labels = names[naming][block_numbers()]
    source = write_pair(tmp_path, numbered_images(2062), np.eye(10)[labels] if one_hot else labels)
    bunch = load_sign_digits(source)
    check_bunch(bunch, (0, 1), 205)
    assert rows_of(bunch.images) == [*range(204, 409), *range(822, 1027)]
    assert str(source / "X.npy") in bunch.description and "real photographs" in bunch.description


def test_pair_in_the_well_known_order_any_digits(tmp_path):
    source = write_pair(tmp_path, numbered_images(2062), np.eye(10)[block_numbers()])
    ends = [*STARTS[1:], 2062]
    for block, digit in SHOWN.items():
        other = SHOWN[(block + 3) % 10]
        rows = rows_of(load_sign_digits(source, digits=(digit, other)).images)
        start, second = STARTS[block], STARTS[(block + 3) % 10]
        count = min(ends[block] - start, ends[(block + 3) % 10] - second)
        assert rows == [*range(start, start + count), *range(second, second + count)]


def test_float_pair_as_it_is_published(tmp_path):
    images = numbered_images(2062)
    source = write_pair(tmp_path, images.astype(np.float32) / 255, np.eye(10)[block_numbers()])
    np.testing.assert_array_equal(load_sign_digits(source).images, np.r_[images[204:409], images[822:1027]])


@pytest.mark.parametrize("n_rows", [2062, 2061])
def test_other_orders_are_believed(tmp_path, n_rows):
    labels = np.sort(np.array(list(SHOWN.values()))[block_numbers()])[:n_rows]
    bunch = load_sign_digits(write_npz(tmp_path, X=numbered_images(n_rows), Y=labels))
    assert rows_of(bunch.images) == [*range(205), *range(205, 410)]


@pytest.mark.parametrize("row", [204, 408, 822, 1026])
def test_one_label_that_breaks_the_order_is_believed(tmp_path, row):
    labels = np.array(list(SHOWN.values()))[block_numbers()]
    labels[row] = 9
    bunch = load_sign_digits(write_npz(tmp_path, X=numbered_images(2062), Y=labels))
    for rows, block in (
        (rows_of(bunch.images)[:204], range(204, 409)),
        (rows_of(bunch.images)[-204:], range(822, 1028)),
    ):
        assert set(rows) <= set(block) - {row}


def test_real_photographs():
    if not REAL_DATA:
        pytest.skip("the photographs are not here")
    bunch = load_sign_digits(REAL_DATA)
    check_bunch(bunch, (0, 1), 205)
    with np.load(REAL_DATA, allow_pickle=False) as archive:
        X, Y = archive["X"], archive["Y"]
    assert set(Y[204:409]) == {0} and set(Y[822:1027]) == {1}
    np.testing.assert_array_equal(bunch.images, np.r_[X[204:409], X[822:1027]])
    nine = load_sign_digits(str(REAL_DATA), digits=(9, 5))
    np.testing.assert_array_equal(nine.images, np.r_[X[Y == 9][:204], X[Y == 5][:204]])


# Arrays


@pytest.mark.parametrize("dtype", ["uint8", ">i2", "int64", "float16", "float32", "float64", ">f4"])
def test_every_grey_value_survives_every_dtype(tmp_path, dtype):
    images = np.tile(np.arange(256, dtype=np.uint8), 32).reshape(2, 64, 64)
    stored = (images / 255 if np.dtype(dtype).kind == "f" else images).astype(dtype)
    bunch = load_sign_digits(write_npz(tmp_path, X=stored, Y=[3, 7]), digits=(3, 7))
    np.testing.assert_array_equal(bunch.images, images)


def test_labels_pick_the_first_of_each(tmp_path):
    labels = np.array([8, 3, 3, 8, 1, 3, 8, 3])
    source = write_npz(tmp_path, X=numbered_images(8), Y=labels)
    for digits, rows in (((3, 8), [1, 2, 5, 0, 3, 6]), ((8, 3), [0, 3, 6, 1, 2, 5]), ((1, 8), [4, 0])):
        bunch = load_sign_digits(source, digits=digits)
        check_bunch(bunch, digits, len(rows) // 2)
        assert rows_of(bunch.images) == rows


def test_sources_may_be_text_or_numpy_digits(tmp_path):
    source = write_pair(tmp_path, numbered_images(2), np.array([True, False]))
    check_bunch(load_sign_digits(str(source), digits=np.array([1, 0])), (1, 0), 1)


@pytest.mark.parametrize("kind", ["drawn", "npz", "pair", "classes"])
def test_arrays_are_the_callers_own_and_files_stay(tmp_path, kind):
    if kind == "classes":
        write_files(tmp_path, class_files({0: 2, 1: 2}))
    make = {"npz": lambda f: write_npz(f, X=numbered_images(2), Y=[0, 1]), "drawn": lambda f: None}
    make["pair"] = lambda f: write_pair(f, numbered_images(2), [0, 1])
    source = make.get(kind, lambda f: f)(tmp_path)
    before = snapshot(tmp_path)
    first = load_sign_digits(source)
    kept = first.images.copy()
    first.images[:] = 0
    first.target[:] = 7
    second = load_sign_digits(source)
    np.testing.assert_array_equal(second.images, kept)
    assert set(second.target.tolist()) == {0, 1}
    assert snapshot(tmp_path) == before


# Folders of image files


@pytest.mark.parametrize("inner", ["", "Dataset", "Sign-Language-Digits-Dataset-master/Dataset"])
def test_class_folders(tmp_path, inner):
    files = class_files({0: 3, 1: 4, 7: 2}, root=inner or ".")
    write_files(tmp_path, files)
    write_files(tmp_path / inner, {"0/notes.txt": b"no image", "0/._IMG_000.png": b"no image", "1/.DS_Store": b""})
    bunch = load_sign_digits(tmp_path)
    check_bunch(bunch, (0, 1), 3)
    assert rows_of(bunch.images) == [0, 1, 2, 3, 4, 5]
    assert str(tmp_path) in bunch.description
    assert rows_of(load_sign_digits(tmp_path, digits=(7, 1)).images) == [7, 8, 3, 4]


def test_class_folders_are_read_in_the_order_of_names(tmp_path):
    images = numbered_images(4)
    names = ["0/b.png", "0/a.PNG", "1/IMG_2.png", "1/IMG_10.png"]
    write_files(tmp_path, {name: png(image) for name, image in zip(names, images, strict=True)})
    assert rows_of(load_sign_digits(tmp_path).images) == [1, 0, 3, 2]


def test_images_become_grey_and_small(tmp_path):
    Image = pytest.importorskip("PIL.Image")
    halves = np.zeros((100, 120, 3), dtype=np.uint8)
    halves[:, :60], halves[:, 60:] = (200, 100, 50), (10, 20, 250)
    for name, mode in (("0/colour.JPG", "RGB"), ("1/grey.jpeg", "L")):
        (tmp_path / name).parent.mkdir()
        Image.fromarray(halves).convert(mode).save(tmp_path / name, "JPEG", quality=95)
    expected = [0.299 * 200 + 0.587 * 100 + 0.114 * 50, 0.299 * 10 + 0.587 * 20 + 0.114 * 250]  # ITU-R 601
    for image in load_sign_digits(tmp_path).images:
        np.testing.assert_allclose(image[:, :28], expected[0], atol=4)
        np.testing.assert_allclose(image[:, 36:], expected[1], atol=4)


def test_image_files_without_pillow(tmp_path, monkeypatch):
    write_files(tmp_path, {"0/a.png": b"", "1/a.png": b""})
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r'pip install "fastlr\[data\]"'):
        load_sign_digits(tmp_path)


def test_broken_image_files(tmp_path):
    whole = png(numbered_images(1)[0])
    for broken in (b"", b"no image", whole[: len(whole) // 2]):
        write_files(tmp_path, {"0/a.png": whole, "1/broken.png": broken})
        with pytest.raises(ValueError, match=r"source .*broken\.png is not a readable image"):
            load_sign_digits(tmp_path)


def test_folders_without_images(tmp_path):
    with pytest.raises(ValueError, match=r"source .* must hold X.npy and Y.npy, or folders 0\.\.\.9"):
        load_sign_digits(tmp_path)
    write_files(tmp_path, {"0/a.png": b"", "2/a.txt": b""})
    for digit in (1, 2):
        with pytest.raises(ValueError, match=f"source .* both digits .* none of {digit}"):
            load_sign_digits(tmp_path, digits=(0, digit))


# Errors


@pytest.mark.parametrize("digits", [0, None, (0,), (0, 1, 2), "01", (0, "1"), (0.0, 1.0), (False, True), (0, None)])
def test_digits_of_the_wrong_type(digits):
    for call in (load_sign_digits, fetch_sign_digits):
        with pytest.raises(TypeError, match="digits must be two integers"):
            call(digits=digits)


@pytest.mark.parametrize("digits", [(1, 1), (0, 10), (-1, 1), (10**30, 0)])
def test_digits_out_of_range(digits):
    with pytest.raises(ValueError, match="digits must be two different integers"):
        load_sign_digits(digits=digits)


def test_missing_sources(tmp_path):
    for source in (tmp_path / "nowhere", tmp_path / "nothing.npz", str(tmp_path / "X.npy")):
        with pytest.raises(FileNotFoundError, match=f"source .*{Path(source).name}"):
            load_sign_digits(source)
    for present, absent in (("X", "Y"), ("Y", "X")):
        folder = tmp_path / present
        folder.mkdir()
        np.save(folder / f"{present}.npy", numbered_images(2) if present == "X" else [0, 1])
        with pytest.raises(FileNotFoundError, match=f"{absent}.npy"):
            load_sign_digits(folder)


@pytest.mark.parametrize("source", [3, b"bytes", ["list"], 1.5, numbered_images(2)])
def test_sources_of_the_wrong_type(source):
    with pytest.raises(TypeError, match="source must be None or a path"):
        load_sign_digits(source)


@pytest.mark.parametrize("kept", [0, 4, 100, 5000, -1])
def test_truncated_files(tmp_path, kept):
    whole = write_npz(tmp_path, X=numbered_images(2), Y=[0, 1])
    whole.write_bytes(whole.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"source .*signs\.npz is not an \.npz file"):
        load_sign_digits(whole)
    write_pair(tmp_path, numbered_images(2), [0, 1])
    for name in ("Y.npy", "X.npy"):  # the pair is read in the order X, Y
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[: min(kept, len(content) - 1)])
        with pytest.raises(ValueError, match=f"source .*{name} is not a NumPy array file"):
            load_sign_digits(tmp_path)


def test_files_of_another_kind(tmp_path):
    source = tmp_path / "signs.npz"
    np.savez(source, X=numbered_images(2), labels=[0, 1])
    with pytest.raises(ValueError, match=r"source .*signs\.npz .*arrays X and Y.*Y\.npy"):
        load_sign_digits(source)
    np.savez(source, X=numbered_images(2), Y=np.array([0, None]))
    with pytest.raises(ValueError, match=r"source .*signs\.npz .*allow_pickle"):
        load_sign_digits(source)
    np.save(tmp_path / "X.npy", numbered_images(2))
    with pytest.raises(ValueError, match=r"source .*X\.npy is not an \.npz file .* or a folder"):
        load_sign_digits(tmp_path / "X.npy")


def with_pixel(value, dtype=np.float32):
    images = np.zeros((2, 64, 64), dtype=dtype)
    images[1, 3, 4] = value
    return images


BAD_ARRAYS = {
    "two-dimensional": (np.zeros((2, 4096)), [0, 1], r"X of source .* shape \(n, 64, 64\), got \(2, 4096\)"),
    "small": (np.zeros((2, 28, 28)), [0, 1], r"X of source .* shape .* got \(2, 28, 28\)"),
    "empty": (np.zeros((0, 64, 64)), [], r"X of source .* shape .* got \(0, 64, 64\)"),
    "scalar": (np.float64(0), [0, 1], r"X of source .* shape .* got \(\)"),
    "complex": (with_pixel(0, complex), [0, 1], "X of source .* integers or floats, got dtype complex"),
    "text": (with_pixel("", "U1"), [0, 1], "X of source .* integers or floats"),
    "nan": (with_pixel(np.nan), [0, 1], "X of source .* finite"),
    "inf": (with_pixel(np.inf), [0, 1], "X of source .* finite"),
    "above one": (with_pixel(1.001), [0, 1], r"X of source .* floats in \[0, 1\]"),
    "negative": (with_pixel(-0.001), [0, 1], r"X of source .* floats in \[0, 1\]"),
    "above 255": (with_pixel(256, int), [0, 1], r"X of source .* integers in 0\.\.\.255"),
    "below 0": (with_pixel(-1, np.int8), [0, 1], r"X of source .* integers in 0\.\.\.255"),
    "lengths": (with_pixel(0), [0, 1, 1], "X and Y of source .* one length, got 2 and 3"),
    "no one": (with_pixel(0), [0, 0], r"source .* both digits \(0, 1\), got none of 1"),
    "no zero": (with_pixel(0), [1, 1], r"source .* both digits \(0, 1\), got none of 0"),
    "not one-hot": (with_pixel(0), np.ones((2, 10)), "Y of source .* one-hot"),
    "nine columns": (with_pixel(0), np.eye(2, 9), "Y of source .* one-hot"),
    "half hot": (with_pixel(0), np.full((2, 10), 0.1), "Y of source .* one-hot"),
    "cube": (with_pixel(0), np.zeros((2, 1, 1)), "Y of source .* shape"),
    "no labels": (with_pixel(0), [], "Y of source .* shape"),
    "ten": (with_pixel(0), [0, 10], r"Y of source .* digits 0\.\.\.9"),
    "half": (with_pixel(0), [0, 0.5], r"Y of source .* digits 0\.\.\.9"),
    "nan label": (with_pixel(0), [0, np.nan], r"Y of source .* digits 0\.\.\.9"),
    "text labels": (with_pixel(0), ["0", "1"], r"Y of source .* digits 0\.\.\.9"),
}


@pytest.mark.parametrize(("X", "Y", "message"), BAD_ARRAYS.values(), ids=BAD_ARRAYS)
def test_arrays_that_are_no_images_or_labels(tmp_path, X, Y, message):
    for source in (write_npz(tmp_path, X=X, Y=Y), write_pair(tmp_path, X, Y)):
        with pytest.raises(ValueError, match=message) as caught:
            load_sign_digits(source)
        assert str(source) in str(caught.value)


# The archive


class Server:
    """What 127.0.0.1 answers: `replies` in turn, the last one again and again, as (status, body, claimed length)."""

    def __init__(self):
        self.replies, self.n_requests = [], 0

        class Handler(BaseHTTPRequestHandler):
            def do_GET(handler):
                status, body, length = self.replies[min(self.n_requests, len(self.replies) - 1)]
                self.n_requests += 1
                handler.send_response(status)
                handler.send_header("Content-Length", str(length))
                handler.end_headers()
                handler.wfile.write(body)

            def log_message(handler, *args):
                pass

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/archive/master.zip"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def reply(self, body, status=200, missing=0):
        self.replies.append((status, body, len(body) + missing))

    def close(self):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def server(monkeypatch):
    pytest.importorskip("PIL.Image")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server()
    yield server
    server.close()


@pytest.fixture
def fetch(server, tmp_path):
    def call(**options):
        return fetch_sign_digits(**{"data_home": tmp_path / "home", "url": server.url, "n_retries": 0, **options})

    return call


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture
def archive():
    files = class_files({0: 3, 1: 3, 2: 2}, root="Sign-Language-Digits-Dataset-master/Dataset")
    files["Sign-Language-Digits-Dataset-master/Examples/example_0.png"] = png(numbered_images(1)[0])
    files["Sign-Language-Digits-Dataset-master/README.md"] = b"text"
    files["Sign-Language-Digits-Dataset-master/Dataset/0/run.sh"] = b"exit 1"
    return zipped(files)


def kept_in(tmp_path):
    """Names in the cache's folder; nothing may ever be beside it."""
    assert [p.name for p in tmp_path.iterdir()] == ["home"]
    assert [p.name for p in (tmp_path / "home").iterdir()] == ["fastlr_sign_digits"]
    return [p.name for p in (tmp_path / "home" / "fastlr_sign_digits").iterdir()]


def test_fetch_downloads_once(server, fetch, archive, tmp_path):
    server.reply(archive)
    first = fetch()
    check_bunch(first, (0, 1), 3)
    assert rows_of(first.images) == [0, 1, 2, 3, 4, 5] and "real photographs" in first.description
    (name,) = kept_in(tmp_path)
    files = {p.suffix for p in (tmp_path / "home" / "fastlr_sign_digits" / name).rglob("*") if p.is_file()}
    assert files == {".png"}
    server.close()
    np.testing.assert_array_equal(fetch().images, first.images)
    assert rows_of(fetch(digits=(2, 0)).images) == [6, 7, 0, 1]
    assert server.n_requests == 1 and kept_in(tmp_path) == [name]


def test_fetch_does_not_mix_archives(server, fetch, tmp_path):
    server.reply(zipped(class_files({0: 1, 1: 1})))
    server.reply(zipped(class_files({0: 2, 1: 2}, root="other/Dataset")))
    assert len(fetch().images) == 2
    assert len(fetch(url=server.url + "?other").images) == 4
    assert len(fetch().images) == 2
    assert server.n_requests == 2 and len(kept_in(tmp_path)) == 2


@pytest.mark.parametrize("failure", ["truncated", "missing", "down"])
def test_fetch_names_the_url_of_a_failed_download(server, fetch, archive, tmp_path, failure):
    if failure == "down":
        server.close()
    elif failure == "missing":
        server.reply(b"not here", status=404)
    else:
        server.reply(archive, missing=1000)
    with pytest.raises(ConnectionError, match="could not download") as caught:
        fetch()
    assert server.url in str(caught.value) and caught.value.__cause__ is not None
    assert kept_in(tmp_path) == []


def test_fetch_tries_again(server, fetch, archive, tmp_path):
    server.reply(archive, missing=1000)
    server.reply(b"", status=503)
    server.reply(archive)
    with pytest.warns(UserWarning, match="Retry downloading"):
        check_bunch(fetch(n_retries=2, delay=0.0), (0, 1), 3)
    assert server.n_requests == 3 and len(kept_in(tmp_path)) == 1


def damaged(archive):
    """The same archive with one byte of its first file turned over."""
    with zipfile.ZipFile(io.BytesIO(archive)) as members:
        first = members.infolist()[0]
    place = first.header_offset + 30 + len(first.filename) + first.compress_size // 2
    return archive[:place] + bytes([archive[place] ^ 255]) + archive[place + 1 :]


@pytest.mark.parametrize("problem", ["empty", "text", "cut", "damaged", "no images", "no classes"])
def test_fetch_forgets_a_corrupt_archive(server, fetch, archive, tmp_path, problem):
    bad = {"empty": b"", "text": b"<html>busy</html>", "cut": archive[:-100], "damaged": damaged(archive)}
    bad["no images"] = zipped({"Dataset/0/a.txt": b""})
    bad["no classes"] = zipped({"Dataset/zero/a.png": b""})
    server.reply(bad[problem])
    server.reply(archive)
    with pytest.raises(ValueError, match="is not a zip archive of sign images") as caught:
        fetch()
    assert server.url in str(caught.value)
    assert kept_in(tmp_path) == []
    check_bunch(fetch(), (0, 1), 3)


EVIL = ["../evil.png", "/evil.png", "Dataset/0/../../../../evil.png", "..\\evil.png", "C:\\evil.png", "C:evil.png"]


@pytest.mark.parametrize("name", [*EVIL, "\\\\host\\share\\evil.png", "../evil.txt"])
def test_fetch_never_writes_outside_of_its_folder(server, fetch, tmp_path, name):
    server.reply(zipped({**class_files({0: 1, 1: 1}), name: png(numbered_images(1)[0])}))
    with pytest.raises(ValueError, match="leads out of the folder"):
        fetch()
    assert kept_in(tmp_path) == []
    assert not Path("/evil.png").exists()


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_fetch_interrupted_while_unpacking(server, fetch, archive, tmp_path, monkeypatch, error):
    server.reply(archive)
    written, write = [], Path.write_bytes

    def write_two(path, content):
        if len(written) == 2:
            raise error
        written.append(path)
        return write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", write_two)
        with pytest.raises(type(error)):
            fetch()
    assert len(written) == 2 and kept_in(tmp_path) == []
    check_bunch(fetch(), (0, 1), 3)


def test_fetch_by_two_at_once(server, fetch, archive, tmp_path, monkeypatch):
    server.reply(archive)
    unpack = datasets.unpack

    def outrun(*args):
        monkeypatch.setattr(datasets, "unpack", unpack)
        fetch()
        return unpack(*args)

    monkeypatch.setattr(datasets, "unpack", outrun)
    check_bunch(fetch(), (0, 1), 3)
    assert server.n_requests == 2 and len(kept_in(tmp_path)) == 1


def test_fetch_complains_before_it_downloads(server, fetch, monkeypatch):
    with pytest.raises(ValueError, match="n_retries must be >= 0"):
        fetch(n_retries=-1)
    with pytest.raises(ValueError, match="digits must be"):
        fetch(digits=(3, 3))
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match="Pillow"):
        fetch()
    assert server.n_requests == 0
