import httpx
import pytest

from domain.post import MediaType
from media.local_hosts import Samples


@pytest.mark.parametrize(
    ("url", "kind", "path"),
    [
        ("https://example.com/photo.jpg", MediaType.IMAGE, "/_/media/photo.jpg"),
        ("https://cdn.example.com/a/b/Launch.PNG?x=1", MediaType.IMAGE, "/_/media/Launch.png"),
        ("https://example.org/clip.mp4", MediaType.VIDEO, "/_/media/clip.mp4"),
        ("https://example.net/clip.mov", MediaType.VIDEO, "/_/media/clip.mp4"),
        ("https://example.com/photo.webp", MediaType.IMAGE, "/_/media/photo.jpg"),
        ("https://example.com/wave", MediaType.GIF, "/_/media/wave.gif"),
        ("https://example.com/", MediaType.IMAGE, "/_/media/sample.jpg"),
        ("https://example.com", MediaType.IMAGE, "/_/media/sample.jpg"),
        ("https://example.com/..%2f..%2fposts", MediaType.IMAGE, "/_/media/posts.jpg"),
        ("https://example.com/a%20b.jpg", MediaType.IMAGE, "/_/media/a%20b.jpg"),
    ],
)
def test_example_hosts_are_answered_from_samples(url: str, kind: MediaType, path: str) -> None:
    address = Samples("http://127.0.0.1:9/").sample_url(httpx.URL(url), kind)
    assert (address.host, address.port, address.raw_path.decode()) == ("127.0.0.1", 9, path)


@pytest.mark.parametrize(
    "url", ["https://notexample.com/a.jpg", "https://example.com.evil.test/a.jpg", "https://example.co/a"]
)
def test_other_hosts_are_left_alone(url: str) -> None:
    assert Samples("http://127.0.0.1:9").sample_url(httpx.URL(url), MediaType.IMAGE) == httpx.URL(url)


def test_nothing_but_samples_is_open_on_the_sandbox() -> None:
    samples = Samples("http://127.0.0.1:9")
    assert samples.hides(httpx.URL("http://127.0.0.1:9/_/posts"))
    assert samples.hides(httpx.URL("http://127.0.0.1:9/_/media/../posts"))
    assert not samples.hides(httpx.URL("http://127.0.0.1:9/_/media/a.jpg"))
    assert not samples.hides(httpx.URL("http://127.0.0.1:10/_/posts"))
