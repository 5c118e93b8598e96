"""TensorFlow Lite: a flatbuffer's operators, each as the operations of TensorFlow that it is."""
