"""The layer string: which layers read what, in one line that can be copied and edited.

    emb:embedding, lstm, last, relu, fc:linear

reads the input x (ids, since an embedding comes first), runs it through the layers whose tensors
begin with `emb`, `lstm` and `fc`, and gives `output`. Two towers, lengths and states::

    x:floats; n:lengths; static:floats(steps=false, size=4)
    a = x > encoder.rnn:lstm(lengths=n) > last_valid(lengths=n)
    b = static > fc1:linear > relu
    concat(a, b) > out:linear

Grammar (EBNF; white space and `#` comments up to the end of a line stand between any two tokens;
a line break does what `;` does, unless the line before it ends in one of `, > = (` or the next one
begins with `,` or `>`)::

    layers      = statement { ";" statement } ;
    statement   = [ declaration | [ targets "=" ] flow | "return" targets ] ;
    targets     = name { "," name } ;
    flow        = ( source | layer ) { ( "," | ">" ) layer } ;
    source      = declaration | name ;
    declaration = name ":" ( "floats" | "ids" | "lengths" | "state" ) [ options ] ;
    layer       = [ prefix ":" ] kind [ options ] ;
    options     = "(" [ option { "," option } ] ")" ;
    option      = name | name "=" value ;
    value       = number | "true" | "false" | name | "[" number { "," number } "]" ;
    prefix      = name | any word of letters, digits, "_", ".", "-", "/" | a quoted one ;
    name        = letter or "_", then letters, digits and "_" ;

- A flow begins with a value: an input or what `=` named. Without one it reads the only floats or
  ids there are. A plain name in the options of a joining layer (concat, add, mul, skip) is one more
  value that it reads, behind the flow's own; a flow that begins with one reads those alone.
- `lengths=n`, `initial_h=h0`, `initial_c=c0` give a layer further inputs. `y, h, c = lstm` names
  all that an LSTM gives: every step, and the final states.
- The prefix is what the layer's tensors begin with in the file; without one it is the kind.
- The last flow is the output, called `output` unless `=` names it; `return a, b` gives others.
"""

from __future__ import annotations

from typing import Any

from lstm_export.importing.layers.assemble import OUTPUT, Assembly, MisfitError
from lstm_export.importing.layers.cursor import Cursor
from lstm_export.importing.layers.layers import KINDS, Layers
from lstm_export.importing.layers.tokens import refusal
from lstm_export.importing.ops.registry import OPS


def parse(text: str) -> Layers:
    """The layers that `text` describes.

    Raises OptionError with the column and what was expected there.
    """
    return _Parser(text).layers()


class _Parser(Cursor):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.begin = 0
        """Where the statement begins."""
        self.assembly = Assembly()
        self.returned: tuple[str, ...] | None = None
        self.last: tuple[str, ...] = ()

    def layers(self) -> Layers:
        while not self.is_end():
            if not self.is_sign(";"):
                if self.returned is not None:
                    raise self.wrong("nothing behind return")
                self.begin = self.place
                self.statement()
            if not self.is_end():
                if not self.is_sign(";"):
                    raise self.wrong("',' or '>' and the next layer, or ';'")
                self.take()
        outputs = self.last if self.returned is None else self.returned
        made: Layers = self.checked(self.begin, self.assembly.finish, outputs)
        return made

    def checked(self, begin: int, action: Any, *arguments: Any) -> Any:
        """`action`, its complaint put where the word that it is about stands since `begin`."""
        try:
            return action(*arguments)
        except MisfitError as error:
            ranges = (begin, self.place), (self.begin, self.place), (0, len(self.tokens))
            places = (
                token.at
                for start, end in ranges
                for token in self.tokens[start:end]
                if token.text == error.at
            )
            at = next(places, self.tokens[begin].at)
            raise refusal(self.text, at, str(error)) from None

    def statement(self) -> None:
        if self.now.text == "return" and self.now.kind == "word":
            self.take()
            names = [self.name("a value to return").text]
            while self.is_sign(","):
                self.take()
                names.append(self.name("a value to return").text)
            self.returned = tuple(names)
            return
        self.flow(self.targets())

    def targets(self) -> tuple[str, ...]:
        """The names before an `=`, if there is one in this statement outside brackets."""
        place = self.place
        names: list[str] = []
        while self.tokens[place].kind == "word":
            names.append(self.tokens[place].text)
            following = self.tokens[place + 1]
            if following.kind == "sign" and following.text == "=":
                for _ in names:
                    self.name("a name for a value")
                    self.take()
                return tuple(names)
            if not (following.kind == "sign" and following.text == ","):
                break
            place += 2
        return ()

    def flow(self, targets: tuple[str, ...]) -> None:
        value = self.source()
        if value is not None and not self.is_sign(",", ">"):
            if targets or self.tokens[self.place - 1].text in self.assembly.known:
                raise self.wrong("',' or '>' and a layer")
            return
        if value is not None:
            self.take()
        while True:
            value = self.layer(value, targets)
            if not self.is_sign(",", ">"):
                return
            self.take()

    def source(self) -> str | None:
        """A declaration, or the name of a value that no bracket follows."""
        token, following = self.now, self.tokens[min(self.place + 1, len(self.tokens) - 1)]
        if following.kind == "sign" and following.text == ":":
            kind = self.tokens[min(self.place + 2, len(self.tokens) - 1)]
            if kind.text not in KINDS:
                return None
            begin = self.place
            name = self.name("a name for an input").text
            self.take()
            self.take()
            bare_values, options = self.options()
            if bare_values:
                raise self.wrong("options of the form name=value", kind)
            self.checked(begin, self.assembly.declare, name, kind.text, options)
            return name
        bare = not (following.kind == "sign" and following.text == "(")
        known = token.kind == "word" and token.text in self.assembly.known
        if known and bare:
            return self.take().text
        if token.kind == "word" and bare and token.text not in OPS:
            there = ", ".join(sorted(self.assembly.known)) or "none so far"
            raise self.wrong(
                f"a layer ({', '.join(OPS)}), a value ({there}) or an input to declare, as in "
                f"{token.text}:floats"
            )
        return None

    def layer(self, value: str | None, targets: tuple[str, ...]) -> str:
        begin, prefix = self.place, ""
        following = self.tokens[min(self.place + 1, len(self.tokens) - 1)]
        if following.kind == "sign" and following.text == ":":
            if self.now.kind not in ("word", "quoted", "number"):
                raise self.wrong("what the layer's tensors begin with")
            prefix = self.take().text
            self.take()
        if self.now.kind == "word" and self.now.text in KINDS:
            raise self.wrong("a layer: inputs are declared at the beginning of a statement")
        kind = self.name("a layer").text
        values, options = self.options()
        inputs: list[str] = [*([] if value is None else [value]), *values]
        if not inputs:
            inputs = [self.checked(begin, self.assembly.source, kind)]
        ends = not self.is_sign(",", ">")
        if ends and targets:
            outputs = targets
        elif ends and self.is_output():
            outputs = (OUTPUT,)
        else:
            outputs = (self.assembly.next_unnamed(),)
        self.checked(begin, self.assembly.step, kind, prefix, inputs, options, outputs)
        self.last = outputs if ends else self.last
        return outputs[0]

    def is_output(self) -> bool:
        """Whether nothing but separators follows."""
        return all(token.text == ";" or token.kind == "end" for token in self.tokens[self.place :])
