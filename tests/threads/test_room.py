import threading

from deeplab_caffe.threads.room import Room, available_memory


def test_available_memory():
    assert 1 << 20 < available_memory() <= 1 << 46
    assert Room().limit <= available_memory()


def test_together_below_the_limit():
    room = Room(10)
    order = []
    inside = threading.Event()

    def large():
        inside.set()
        with room.take(8):
            order.append("large")

    with room.take(3):
        other = threading.Thread(target=large)
        other.start()
        inside.wait(20)
        with room.take(7):  # there is room for this one
            order.append("small")
        assert order == ["small"]
    other.join()
    assert order == ["small", "large"]


def test_one_alone_may_take_more():
    room = Room(10)
    with room.take(1000):
        pass
    with room.take(10):
        pass
