#!/usr/bin/env python3
"""Draws the demo's output as docs/demo.svg: scripts/picture.py < OUTPUT > docs/demo.svg

Takes what `target/debug/sluice-demo` really printed (colours or not), keeps the steps named on the command line, cuts long lines.
"""
import html
import re
import sys

WIDTH, LINE, CHAR, PAD = 132, 17, 7.83, 14
STEPS = sys.argv[1:] or ["4", "5"]

ansi = re.compile(r"\x1b\[[0-9;]*m")
step = re.compile(r"^(\d+)\. ")


def wanted(lines):
    keep = False
    for line in lines:
        plain = ansi.sub("", line.rstrip("\n"))
        head = step.match(plain)
        if head:
            keep = head.group(1) in STEPS
        if plain.startswith("Summary of"):
            keep = True
        # where it was played
        if plain.startswith("The story of"):
            yield plain
        # what kubectl echoes of the patch it sent says nothing new
        if keep and not re.match(r"^(     (\{\"|to:|Resource: |Name: |Error from server|Waiting for|Warning: resource)|(real|user|sys)\b)", plain):
            yield plain


def colour(line):
    if step.match(line) or line.startswith(("Summary", "The story")):
        return "#7dd3fc"
    if line.startswith("   $ "):
        return "#f8fafc"
    if line.startswith("   ✔") or line.startswith("   exposure") or line.startswith("   first bad"):
        return "#86efac"
    if "denied the request" in line or "SLU0" in line or "fails:" in line or "RolledBack" in line or "aborting" in line:
        return "#fca5a5"
    return "#94a3b8"


def cut(line):
    line = line.replace('for: "checkout-v2.yaml": error when patching "checkout-v2.yaml": ', "").replace('for: "checkout-v3.yaml": error when patching "checkout-v3.yaml": ', "")
    rest, first = line, True
    while rest:
        room = WIDTH if first else WIDTH - 9
        yield rest[:room] if first else "         " + rest[:room]
        rest, first = rest[room:], False
        if not first and rest and len(rest) > 3 * WIDTH:
            rest = rest[: 3 * WIDTH] + "…"


lines = [(part, colour(line)) for line in wanted(sys.stdin) if line.strip() for part in cut(line)]
height = PAD * 2 + LINE * len(lines) + 8
print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{int(WIDTH * CHAR + 2 * PAD)}" height="{height}" font-family="ui-monospace,Menlo,DejaVu Sans Mono,monospace" font-size="13">')
print('<rect width="100%" height="100%" rx="8" fill="#0f172a"/>')
for number, (text, fill) in enumerate(lines):
    y = PAD + LINE * (number + 1)
    print(f'<text x="{PAD}" y="{y}" fill="{fill}" xml:space="preserve">{html.escape(text)}</text>')
print("</svg>")
