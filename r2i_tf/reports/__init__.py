"""Reports: from the records of runs to pages of curves, tables and notes.

  directories -> runs -> curves, tables, scores -> Markdown, PNG, CSV
  a directory -> history -> health notes, charts, pictures -> one HTML file

`r2i-report` writes both; `page.write` is the way in for programs of one's own,
and `run_page.write` that to the page of one run. None of this loads TensorFlow.
"""
