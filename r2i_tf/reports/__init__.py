"""Reports: from the records of runs to one page of curves and tables.

  directories -> runs -> curves, tables, scores -> Markdown, PNG, CSV

`r2i-report` writes it; `page.write` is the way in for programs of one's own.
None of this loads TensorFlow.
"""
