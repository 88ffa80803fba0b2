"""The interface of the pydensecrf package: `import deeplab_caffe.pydensecrf.densecrf as dcrf`."""
