"""The drawings of docs/concepts.md, as SVG, made by code.

    python -m docs.drawings

writes them anew. They are committed, since a code host shows them, too, and a
test holds them to this code. SVG is written here letter by letter: so the bytes
are the same whatever is installed, text stays text, and a style sheet in the
file follows the reader's dark or light.
"""
