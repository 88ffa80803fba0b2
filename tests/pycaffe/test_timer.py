import deeplab_caffe.pycaffe as caffe


def test_timer():
    timer = caffe.Timer()
    assert timer.ms == 0
    timer.start()
    timer.stop()
    assert isinstance(timer.ms, float) and timer.ms > 0
