import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from deeplab_caffe import Segmenter
from deeplab_caffe.segmenter.crew import Crew
from deeplab_caffe.threads.side_by_side import side_by_side

NET = """input: "data" input_dim: 1 input_dim: 3 input_dim: 17 input_dim: 17
layer { name: "c" type: "Convolution" bottom: "data" top: "c"
        convolution_param { num_output: 5 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
"""


def images(count, seed=0):
    generator = np.random.default_rng(seed)
    sizes = generator.integers(5, 40, (count, 2))
    return [generator.integers(0, 256, (*size, 3), np.uint8) for size in sizes]


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(NET)
    return path


def scores(crew, photos):
    def work(image):
        with crew.one(image.shape[:2]) as segmenter:
            return segmenter.scores(image)

    return list(side_by_side(work, photos, crew.threads, crew.at_once, crew.shared))


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize(
    "options",
    [{}, {"precision": "bf16"}, pytest.param({"scales": (0.5, 1.0), "flip": True}, marks=pytest.mark.slow)],
)
def test_the_bits_of_a_loop(model, threads, options):
    segmenter = Segmenter(model, random_weights=True, threads=threads, **options)
    photos = images(20)
    crew = Crew(segmenter, len(photos))
    assert crew.at_once == threads
    results = scores(crew, photos)
    assert all(np.array_equal(one, segmenter.scores(x)) for one, x in zip(results, photos, strict=True))


def test_weights_are_there_once():
    segmenter = Segmenter("camvid_largefov", "camvid_largefov", threads=3)
    crew, inside = Crew(segmenter, 9), threading.Barrier(3)
    image = images(1)[0]

    def work(_):
        with crew.one(image.shape[:2]) as one:
            inside.wait(20)
            return one, one.scores(image)

    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(work, range(3)))
    nets = [one.net for one, _ in results]
    assert len({id(net) for net in nets}) == 3
    for net in nets:
        for own, blobs in zip(segmenter.net.params.values(), net.params.values(), strict=True):
            assert all(a is b for a, b in zip(own, blobs, strict=True))
    assert all(np.array_equal(found, segmenter.scores(image)) for _, found in results)


def test_one_after_the_other_where_images_could_meet(model, tmp_path):
    segmenter = Segmenter(model, random_weights=True, threads=4)
    assert Crew(segmenter, 2).at_once == 2 and Crew(segmenter, 1).at_once == 1
    assert Crew(segmenter, 9, only_net=True).at_once == Crew(segmenter, 9).at_once > 2
    two = Segmenter(model, random_weights=True, threads=2)
    assert Crew(two, 9, only_net=True).at_once == 1 and Crew(two, 9).at_once == 2
    segmenter.net.phase = "train"
    assert Crew(segmenter, 9).at_once == 1
    writes = tmp_path / "writes.prototxt"
    writes.write_text(NET + 'layer { name: "w" type: "MatWrite" bottom: "c" }\n')
    assert Crew(Segmenter(writes, random_weights=True, output="c", threads=4), 9).at_once == 1


def test_streamed_weights_are_in_one_net(model, tmp_path):
    segmenter = Segmenter(model, random_weights=True, threads=2)
    segmenter.net.save(tmp_path / "w.caffemodel")
    streamed = Segmenter(model, tmp_path / "w.caffemodel", threads=2, weight_memory=0)
    photos = images(12, 1)
    crew = Crew(streamed, len(photos))
    assert not crew.shared and crew.at_once == 3
    with crew.one((5, 5)) as one:
        assert one is streamed
    expected = map(segmenter.scores, photos)
    assert all(np.array_equal(one, x) for one, x in zip(scores(crew, photos), expected, strict=True))


def test_large_images_leave_no_memory_behind(model):
    segmenter = Segmenter(model, random_weights=True, threads=2)
    crew = Crew(segmenter, 5)
    with crew.one((9, 9)) as small:
        pass
    with crew.one((9, 9)) as again:
        assert again is small and again is not segmenter
    with crew.one((10**6, 10**6)) as large:
        assert large is small
    with crew.one((9, 9)) as other:
        assert other is not large
