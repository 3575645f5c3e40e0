"""Says whether the train step of a configuration fits a TPU; needs no TPU.

python launch/tpu_preflight.py --config=bsuite --topology=v5e:2x2
"""

from r2i_tf.programs import tpu_preflight

if __name__ == '__main__':
  tpu_preflight.main()
