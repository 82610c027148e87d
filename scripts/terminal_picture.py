#!/usr/bin/env python3
"""Makes a dark picture (SVG) of a terminal's contents, of COLUMNS and LINES.

    tmux capture-pane -e -p | scripts/terminal_picture.py COLUMNS LINES > picture.svg

Understands the attributes that the live view uses (ECMA-48, SGR): bold, and eight colours. Every letter is put where its
cell is, and Braille is drawn, because fonts have it in a width of its own.
"""

import html
import re
import sys

WIDTH, HEIGHT, MARGIN = 8.43, 16, 12
COLOURS = "#7d8590 #ff6b6b #7fd88f #e8c265 #6cb2ff #d08bea #5fd3d8 #d7dae0".split()
PLAIN = COLOURS[7]
# Of each of the eight dots of a Braille letter, in the order of its bits: column and row.
DOTS = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)]

PICTURE = """<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}">
<rect width="100%" height="100%" rx="6" fill="#14161a"/>
<g font-family="DejaVu Sans Mono, monospace" font-size="14" style="white-space: pre">
{cells}
</g></svg>
"""


def styled(codes: str, bold: bool, colour: str) -> tuple[bool, str]:
    """What is valid after these codes."""
    # A colour out of 256 is said in three numbers, of which the third is enough for the first sixteen.
    codes = re.sub(r"38;5;(\d+)", lambda of: str(30 + int(of[1]) % 8), codes)
    for code in (int(code or 0) for code in codes.split(";")):
        if code == 0:
            bold, colour = False, PLAIN
        elif code in (1, 22):
            bold = code == 1
        elif code == 39:
            colour = PLAIN
        elif code // 10 in (3, 9) and code % 10 < 8:
            colour = COLOURS[code % 10]
    return bold, colour


def cell(letter: str, x: float, y: int, bold: bool, colour: str) -> str:
    """A letter, or the dots of one, in the cell whose upper left corner this is."""
    bits = ord(letter) - 0x2800
    if 0 <= bits < 256:
        dots = (dot for number, dot in enumerate(DOTS) if bits >> number & 1)
        return "".join(
            f'<circle cx="{x + WIDTH * (0.25 + 0.5 * column):.1f}" cy="{y + 2 + 4 * row}" r="1.3" fill="{colour}"/>'
            for column, row in dots
        )
    weight = ' font-weight="bold"' * bold
    return f'<text x="{x:.2f}" y="{y + 13}" fill="{colour}"{weight}>{html.escape(letter)}</text>'


def cells(text: str):
    """All cells of a text with codes in it."""
    bold, colour = False, PLAIN
    for row, line in enumerate(text.split("\n")):
        column = 0
        # Letters and codes take turns.
        for number, part in enumerate(re.split(r"\x1b\[([0-9;]*)m", line)):
            if number % 2:
                bold, colour = styled(part, bold, colour)
                continue
            for letter in part:
                if letter != " ":
                    yield cell(letter, MARGIN + WIDTH * column, MARGIN + HEIGHT * row, bold, colour)
                column += 1


if __name__ == "__main__":
    columns, lines = map(int, sys.argv[1:])
    # Character sets are none of our business.
    shown = re.sub(r"\x1b\([0AB]|[\x0e\x0f]", "", sys.stdin.read())
    width, height = 2 * MARGIN + WIDTH * columns, 2 * MARGIN + HEIGHT * lines
    sys.stdout.write(PICTURE.format(width=width, height=height, cells="\n".join(cells(shown))))
