"""The layout that the records of a JSON body share: usually all have the same members in the same order.

Here: `Layout`, which finds the members, the kinds of their values and the instants of one member from the tokens of the
parts, without a parser.
Keep out: bodies whose records differ, or have a duplicate or an escaped name: json_values.py inspects those. The result
is only valid if the body is well-formed, which its reader has to prove.
"""

from __future__ import annotations

import json

import numpy as np

from orgdata_dagster.warehouse.pages.iso_instants import Numbers, Unusual, microseconds
from orgdata_dagster.warehouse.pages.json_tokens import QUOTE, Places, Tokens, marks, past_blanks
from orgdata_dagster.warehouse.pages.page import JsonKind

_KINDS: tuple[JsonKind, ...] = ("string", "number", "boolean", "list", "object")
_BEGINS = (b'"', b"-0123456789", b"tf", b"[", b"{")  # first characters of values of these kinds
_NOT_A_VALUE = 1 << len(_KINDS)
_BIT = np.full(256, _NOT_A_VALUE, dtype=np.uint8)
_BIT[ord("n")] = 0  # null has no kind
for _number, _characters in enumerate(_BEGINS):
    _BIT[list(_characters)] = 1 << _number
_INSIDE, _BEHIND = marks(b"{[:,"), marks(b"}]")


class Layout:
    """The layout of a body, whose parts are added one after the other.

    known: whether all records seen so far have the same members.
    names: the members that all records have, in their order.
    cursor: the member whose values are instants.
    """

    def __init__(self, cursor: str | None = None) -> None:
        self.known = True
        self.names: tuple[str, ...] = ()
        self._texts: tuple[bytes, ...] = ()  # the names as they are written, with quotes and surrounding blanks
        self._bits = np.zeros(0, dtype=np.uint8)
        self._marked = np.zeros(0, dtype=np.bool_)
        self._cursor = cursor
        self._instants: list[Numbers] | None = []

    @property
    def instants(self) -> Numbers | None:
        """The instants of all records, in microseconds since 1970; None if only a parser can tell them."""
        if self._cursor not in self.names or not self._instants:
            return None
        return np.concatenate(self._instants)

    @property
    def columns(self) -> dict[str, tuple[frozenset[JsonKind], bool]]:
        """Member -> the kinds of its values, and whether some values were put into quotes."""
        kinds = (frozenset(kind for at, kind in enumerate(_KINDS) if bits >> at & 1) for bits in self._bits.tolist())
        return dict(zip(self.names, zip(kinds, self._marked.tolist(), strict=True), strict=True))

    def see(self, part: bytes, tokens: Tokens, spared: Places) -> None:
        """Add a part. `spared`: the positions after the colons of the values that were put into quotes."""
        self.known = self.known and (not tokens.records or self._fits(part, tokens, spared))

    def _fits(self, part: bytes, tokens: Tokens, spared: Places) -> bool:
        inside, behind = _INSIDE.take(tokens.kind), _BEHIND.take(tokens.kind)
        frame = np.flatnonzero((inside & (tokens.depth == 1)) | (behind & (tokens.depth == 0)))
        members, rest = divmod(frame.size // tokens.records - 1, 2)
        pattern = np.frombuffer(b"{" + b":," * members, dtype=np.uint8).copy()
        if members < 1 or rest or frame.size % tokens.records:
            return False
        pattern[-1] = ord("}")  # such as `{:,:,:}`, in which every colon follows one name
        if (tokens.kind.take(frame).reshape(tokens.records, -1) != pattern).any():
            return False
        places = tokens.at.take(frame).reshape(tokens.records, -1)
        begins, colons = places[:, :-1:2] + 1, places[:, 1::2]
        if not self._names_fit(part, begins, colons) or not self._kinds_fit(tokens, colons.ravel() + 1, spared):
            return False
        if self._cursor in self.names and self._instants is not None:
            at = self.names.index(self._cursor)
            self._date(part, tokens, colons[:, at] + 1, places[:, 2 * at + 2] - 1)
        return True

    def _date(self, part: bytes, tokens: Tokens, first: Places, last: Places) -> None:
        """Take in the instants that stand in quotes at these places."""
        try:
            if (tokens.codes.take(first) != QUOTE).any() or (tokens.codes.take(last) != QUOTE).any():
                raise Unusual
            assert self._instants is not None
            self._instants.append(microseconds(part, first + 1, last))
        except Unusual:
            self._instants = None

    def _names_fit(self, part: bytes, begins: Places, colons: Places) -> bool:
        if not self._texts and not self._learn(tuple(map(part.__getitem__, map(slice, begins[0], colons[0])))):
            return False
        if begins.shape[1] != len(self._texts) or (colons - begins != list(map(len, self._texts))).any():
            return False
        for column, text in enumerate(self._texts):
            # one item per position with its next characters: much faster than one index per character
            here = np.ndarray(len(part) - len(text) + 1, dtype=f"V{len(text)}", buffer=part, strides=1)
            if here[begins[:, column]].tobytes() != text * len(begins):
                return False
        return True

    def _learn(self, texts: tuple[bytes, ...]) -> bool:
        try:
            names = [json.loads(text.decode()) for text in texts]
        except ValueError:
            return False
        escaped = any(b"\\" in text for text in texts)
        if escaped or not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
            return False
        self.names, self._texts = tuple(names), texts
        self._bits = np.zeros(len(names), dtype=np.uint8)
        self._marked = np.zeros(len(names), dtype=np.bool_)
        return True

    def _kinds_fit(self, tokens: Tokens, begins: Places, spared: Places) -> bool:
        members = len(self.names)
        begun = _BIT.take(tokens.codes.take(past_blanks(tokens.codes, begins))).reshape(-1, members)
        self._bits |= np.bitwise_or.reduce(begun, axis=0)
        self._marked[np.searchsorted(begins, spared) % members] = True
        return not (self._bits & _NOT_A_VALUE).any()
