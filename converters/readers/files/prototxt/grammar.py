"""The lexical pieces of protobuf's text format, as regular expressions that cannot backtrack.

Every repetition is possessive: no text, however hostile, takes more than linear time. Patterns
are compiled with `re.ASCII`, since the format's white space, names and digits are ASCII.
Source: the "Text Format Language Specification" on protobuf.dev; where the C++ and the Python
implementation differ, the C++ one, which Caffe uses, is followed.
"""

from __future__ import annotations

import re
from typing import Final

from upconv.converters.ir.patterns import pattern

GAP: Final = r"\s*+(?:\#[^\n]*+\s*+)*+"
"""White space and comments."""

STRING: Final = r""" (?: "[^"\\\n]*+(?:\\.[^"\\\n]*+)*+" | '[^'\\\n]*+(?:\\.[^'\\\n]*+)*+' ) """
STRINGS: Final = rf"{STRING} (?: {GAP} {STRING} )*+"

WORD_END: Final = r"(?! [\w.+\-/$@%\\] )"
"""Nothing that would make the number or word before it a longer, and so a wrong, one."""

NUMBER: Final = rf"""
    (?: 0[xX][0-9a-fA-F]++
      | (?: [0-9]++ (?:\.[0-9]*+)?+ | \.[0-9]++ ) (?: [eE][+-]?+[0-9]++ )?+ [fF]?+
    ) {WORD_END}"""

NAME: Final = r"[A-Za-z_]\w*+"
WORD: Final = rf"{NAME} {WORD_END}"
OPEN: Final = r"(?: \{ | <(?!<) )"
"""`<<` is never right and would hide a git conflict marker."""

CLOSER: Final = {"{": "}", "<": ">"}

LONE_WORD: Final = rf"{WORD} (?! {GAP} (?: : | {OPEN} ) )"
"""A word that is a value and not, because the value was forgotten, the next field's name."""

SIGNED: Final = rf"- {GAP} (?: {NUMBER} | (?i:inf(?:inity)?+|nan) f?+ {WORD_END} )"


def compiled(text: str) -> re.Pattern[str]:
    """`text`, in which white space means nothing, ready to match."""
    return pattern(text, re.VERBOSE | re.ASCII)


SCALAR, COLON_OPEN, BARE_OPEN, CLOSE, SEPARATOR, END, OTHER = range(2, 9)
"""What `ITEM.lastindex` says was read."""

ITEM: Final = compiled(
    rf"""
    {GAP} (?:
        ({NAME}) {GAP} (?:
            : {GAP} (?: ( {STRING} | -?+ {NUMBER} | {LONE_WORD} ) | ({OPEN}) )
          | ({OPEN})
        )
      | ([}}>])
      | ([;,])
      | \Z ()
      | ()
    )"""
)
"""One whole item a match: a scalar field, the head of a message field, a closing brace or a
separator. Anything rarer ends in OTHER, an empty match where the item starts, and is read
piece by piece. It always matches, so that an iteration never skips a character."""

LAYER: Final = compiled(rf"{GAP} (layer) {GAP} \{{")
"""How a block begins that is remembered as a piece of its text, where it stands in no other."""

SKIP: Final = compiled(GAP)
FIELD_NAME: Final = compiled(NAME)
BRACKET_NAME: Final = compiled(r"\[ \s*+ [A-Za-z_][\w.\-]*+ (?: /[\w.\-]++ )*+ \s*+ \]")
"""An extension `[a.b.c]`, or the type of an Any, `[type.googleapis.com/a.b.C]`."""

VALUE: Final = compiled(rf"{STRINGS} | -?+ {NUMBER} | {SIGNED} | {LONE_WORD}")
ELEMENT: Final = compiled(rf"{STRINGS} | -?+ {NUMBER} | {SIGNED} | {WORD}")
ONE_STRING: Final = compiled(STRING)
STRING_OR_COMMENT: Final = compiled(rf"({STRING}) | (\#[^\n]*+) | [\"'][^\n]*+")
"""Group 1 a string, group 2 a comment, neither for a string that is never closed."""

RESUME: Final = compiled(
    rf"""
    ((?<!\\){STRING} | \#[^\n]*+ | (?<!\S)//[^\n]*+ | (?<!\S)/\*(?:[^*]|\*(?!/))*+(?:\*/)?+)
  | (?<! [\w.+\-/$@%] ) (?= {NAME} [ \t]*+ (?: : | {OPEN} ) )
  | (?= [{{}}>] )
  | (?<= \n ) (?= (?: <{{7}} | ={{7}} | \|{{7}} ) [ \t\r\n] )
"""
)
"""Where reading can go on after an error; a match of group 1 only skips strings and comments,
C's among them, so that several in a row are one error. A quote behind a backslash begins none: each
that was tried as a beginning is read to the end of its line."""
