"""Reads a page from standard input as strict XML and prints what the tests ask about, as JSON."""
import json
import sys
import xml.etree.ElementTree as ElementTree


def text(element):
    return " ".join("".join(element.itertext()).split())


def drawing(svg):
    return {
        "role": svg.get("role"),
        "labelledBy": svg.get("aria-labelledby", "").split(),
        "viewBox": svg.get("viewBox"),
        "title": svg.findtext("title"),
        "description": svg.findtext("desc"),
        "labels": [text(child) for child in svg.iter("text")],
        "shapes": sum(1 for child in svg.iter() if child.tag in ("path", "polygon", "polyline", "circle", "rect")),
        "numbers": [
            value
            for child in svg.iter()
            for name, value in child.attrib.items()
            if name in ("d", "points", "x", "y", "cx", "cy", "r", "width", "height", "transform")
        ],
    }


root = ElementTree.fromstring(sys.stdin.buffer.read())
elements = list(root.iter())
json.dump(
    {
        "title": root.findtext("head/title"),
        "tags": sorted({element.tag for element in elements}),
        "attributes": sorted({name for element in elements for name in element.attrib}),
        "ids": [element.get("id") for element in elements if element.get("id") is not None],
        "links": [element.get("href") for element in elements if element.get("href") is not None],
        "headings": [text(element) for element in elements if element.tag in ("h1", "h2", "h3")],
        "labelledBy": [name for element in elements for name in element.get("aria-labelledby", "").split()],
        "rows": [[text(cell) for cell in row] for row in elements if row.tag == "tr"],
        "drawings": [drawing(element) for element in elements if element.tag == "svg"],
        "text": text(root),
    },
    sys.stdout,
)
