"""Makes a page of runs: curves, tables and scores, and their numbers as CSV.

python launch/report.py --output=report runs/sweep
"""

from r2i_tf.programs import report

if __name__ == '__main__':
  report.main()
