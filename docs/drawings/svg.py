"""A small writer of SVG: boxes, arrows and text in two schemes of colours.

Lengths are in units of the drawing, which is shown one to a pixel where there
is room. What a shape means is its class: colours are the style sheet's.
"""

from collections.abc import Sequence
from xml.sax import saxutils

# Light, then dark. Of each pair of text and ground the contrast is 4.5 or more.
_STYLE = """
  text { font: 15px system-ui, 'DejaVu Sans', Arial, sans-serif; fill: #1f2328 }
  .small { font-size: 13px } .title { font-weight: 600 }
  .soft { fill: #57606a } .middle { text-anchor: middle }
  .end { text-anchor: end }
  .ground { fill: #ffffff }
  .box { fill: #f3f4f8; stroke: #8c93a3; stroke-width: 1.5 }
  .chosen { fill: #dfe7fd; stroke: #3f5fc4; stroke-width: 1.5 }
  .reset { fill: #fde3cf; stroke: #b4530a; stroke-width: 2 }
  .weight { fill: #3f5fc4 }
  .arrow { fill: none; stroke: #57606a; stroke-width: 1.5 }
  .cut { fill: none; stroke: #b4530a; stroke-width: 3 }
  .head { fill: #57606a }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6e8ee } .soft { fill: #b3bac6 }
    .ground { fill: #1e2129 }
    .box { fill: #2b303b; stroke: #8c93a3 }
    .chosen { fill: #28365f; stroke: #8ea8ff }
    .reset { fill: #55330f; stroke: #f0a35e }
    .weight { fill: #8ea8ff }
    .arrow { stroke: #b3bac6 } .head { fill: #b3bac6 }
    .cut { stroke: #f0a35e }
  }
"""


class Drawing:
  """A drawing of so many units, from shapes in the order of drawing."""

  def __init__(self, width: int, height: int, title: str, description: str):
    """Creates an empty drawing.

    Args:
      width: To the right.
      height: Downwards.
      title: What it shows, for readers who do not see it.
      description: The same in sentences.
    """
    self._width, self._height = width, height
    self._title, self._description = title, description
    self._shapes: list[str] = []

  def text(
      self, x: float, y: float, text: str, style: str = '', middle: bool = False
  ) -> None:
    """Writes a line at its left end, or around its middle, on a base line.

    Args:
      x: Of the end, or of the middle.
      y: Of the base line.
      text: The line.
      style: Classes of the style sheet.
      middle: Whether x is the middle.
    """
    style = f'{style} middle' if middle else style
    self._shapes.append(
        f'<text x="{x:g}" y="{y:g}"{_class(style)}>'
        f'{saxutils.escape(text)}</text>'
    )

  def box(
      self,
      x: float,
      y: float,
      width: float,
      height: float,
      title: str = '',
      lines: Sequence[str] = (),
      style: str = 'box',
  ) -> None:
    """Draws a box with a title and lines in its middle.

    Args:
      x: Of its left side.
      y: Of its upper side.
      width: To the right.
      height: Downwards.
      title: Its first line.
      lines: The lines below, smaller.
      style: Classes of the style sheet.
    """
    self.rectangle(x, y, width, height, style, radius=6)
    middle, gap = x + width / 2, 19
    base = y + height / 2 + 5 - gap * len(lines) / 2
    if title:
      self.text(middle, base, title, 'title', middle=True)
    for index, line in enumerate(lines, 1):
      self.text(middle, base + gap * index, line, 'small', middle=True)

  def rectangle(
      self,
      x: float,
      y: float,
      width: float,
      height: float,
      style: str,
      radius: float = 0,
      opacity: float = 1,
  ) -> None:
    """Draws a rectangle without text; `opacity` is that of its ground."""
    rounded = f' rx="{radius:g}"' if radius else ''
    faint = f' fill-opacity="{opacity:.3f}"' if opacity < 1 else ''
    self._shapes.append(
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}"'
        f' height="{height:g}"{rounded}{faint}{_class(style)}/>'
    )

  def circle(self, x: float, y: float, radius: float, text: str) -> None:
    """Draws a circle around a letter, such as a sum."""
    self._shapes.append(
        f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" class="box"/>'
    )
    self.text(x, y + 5, text, middle=True)

  def line(
      self,
      *points: tuple[float, float],
      style: str = 'arrow',
      head: bool = True,
  ) -> None:
    """Draws a line through points, with an arrow's head at its end.

    Args:
      *points: (x, y) of each.
      style: Classes of the style sheet.
      head: Whether it has a head.
    """
    path = ' '.join(f'{x:g},{y:g}' for x, y in points)
    end = ' marker-end="url(#head)"' if head else ''
    self._shapes.append(f'<polyline points="{path}"{end}{_class(style)}/>')

  def text_of_file(self) -> str:
    """Returns the file."""
    size = f'{self._width} {self._height}'
    return '\n'.join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}"'
            f' width="{self._width}" height="{self._height}" role="img">',
            f'<title>{saxutils.escape(self._title)}</title>',
            f'<desc>{saxutils.escape(self._description)}</desc>',
            f'<style>{_STYLE}</style>',
            '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4"'
            ' markerWidth="7" markerHeight="7" orient="auto">'
            '<path d="M0,0 L8,4 L0,8 z" class="head"/></marker></defs>',
            f'<rect width="{self._width}" height="{self._height}" rx="8"'
            ' class="ground"/>',
            *self._shapes,
            '</svg>',
            '',
        ]
    )


def _class(style: str) -> str:
  return f' class="{style.strip()}"' if style.strip() else ''
