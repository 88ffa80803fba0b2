from tests.layers.layer_text import layer


def test_against_float64(against_float64):
    against_float64("Threshold", lambda x: (x > 1.5).double(), "threshold_param { threshold: 1.5 }")


def test_the_threshold_itself_is_below(run_layer):
    run = run_layer(layer("Threshold", "threshold_param { threshold: 1.5 }"))
    assert run([1.5, 1.75])[0].tolist() == [0, 1]
    assert run_layer(layer("Threshold"))([-0.0, 1e-30])[0].tolist() == [0, 1]
