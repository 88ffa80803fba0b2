"""Writes checkpoints and frozen graphs with TensorFlow, for the tests of their readers.

python write_tensorflow.py golden FOLDER          the small files of tests/golden/tf
python write_tensorflow.py net VARIABLES.npz FOLDER   a checkpoint and a frozen graph of these variables

Runs by itself (nothing of this project), so that TensorFlow can live in an environment of its own.
"""

import os
import sys

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import tensorflow as tf  # noqa: E402

v1 = tf.compat.v1


def main(what, *paths):
    v1.disable_eager_execution()
    if what == "golden":
        golden(*paths)
    else:
        net(*paths)


def net(source, folder):
    """model.ckpt.* as training leaves them (optimizer slots, step) and frozen_inference_graph.pb."""
    arrays = np.load(source)
    variables = [
        v1.get_variable(name, arrays[name].shape, initializer=v1.zeros_initializer(), use_resource=False)
        for name in sorted(arrays.files)
    ]
    v1.train.get_or_create_global_step()
    some = [variable for variable in variables if variable.op.name.endswith("biases")]
    v1.train.MomentumOptimizer(0.1, 0.9).minimize(v1.add_n([v1.reduce_sum(x) for x in some]), var_list=some)
    output = v1.add_n([v1.reduce_sum(x) for x in variables], name="output")
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        values = {x.initializer.inputs[1]: arrays[x.op.name] for x in variables}
        session.run([x.initializer for x in variables], values)
        v1.train.Saver().save(session, f"{folder}/model.ckpt", write_meta_graph=False, write_state=False)
        write_graph(session, [output.op.name], f"{folder}/frozen_inference_graph.pb")


def golden(folder):
    """Two shards, several types, a partitioned variable, one in slices of its own; a graph with splats."""
    random = np.random.RandomState(5)

    def variable(name, dtype, *shape):
        values = tf.constant(random.standard_normal(shape).astype(np.float32))
        return v1.get_variable(name, initializer=tf.cast(values, dtype), use_resource=False)

    with tf.device("/cpu:0"):
        variables = [
            variable("net/conv1/weights", tf.float32, 3, 3, 2, 4),
            variable("net/conv1/BatchNorm/gamma", tf.float16, 4),
            variable("net/conv1/BatchNorm/beta", tf.bfloat16, 4),
        ]
        v1.get_variable("global_step", initializer=tf.constant(2**40 + 1, tf.int64), use_resource=False)
        v1.get_variable("labels", initializer=tf.constant(["sky", "road"]), use_resource=False)
    with tf.device("/cpu:1"):
        variables += [
            variable("net/conv2/weights", tf.float64, 1, 1, 4, 3),
            variable("scalar", tf.float32),
            variable("empty", tf.float32, 0, 3),
        ]
        with v1.variable_scope("", partitioner=v1.fixed_size_partitioner(2)):
            v1.get_variable(
                "parted", initializer=tf.constant(np.arange(6, dtype=np.float32)), use_resource=False
            )
    splat = tf.fill([2, 2], 0.5)
    v1.constant(7.0, shape=[2, 3], name="splat")
    v1.constant([1, 2], name="whole_numbers")
    v1.constant(np.float16(0.25), name="half")
    outputs = [v1.reduce_sum(tf.cast(x, tf.float32)) for x in [*variables, splat]]
    output = v1.add_n(outputs, name="output")
    with v1.Session(config=v1.ConfigProto(device_count={"CPU": 2})) as session:
        session.run(v1.global_variables_initializer())
        values = session.run({x.op.name: tf.cast(x, tf.float32) for x in variables})
        saver = v1.train.Saver(sharded=True)
        saver.save(session, f"{folder}/sharded.ckpt", write_meta_graph=False, write_state=False)
        write_graph(session, [output.op.name], f"{folder}/frozen.pb", keep=("splat", "whole_numbers", "half"))
    np.savez(f"{folder}/values.npz", **values)


def write_graph(session, outputs, path, keep=()):
    graph = v1.graph_util.convert_variables_to_constants(
        session, session.graph.as_graph_def(), [*outputs, *keep]
    )
    with open(path, "wb") as file:
        file.write(graph.SerializeToString())


main(*sys.argv[1:])
