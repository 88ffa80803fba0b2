"""Of the Python reference: arguments that a docstring tells in one paragraph become a list (mkdocs.yml)."""

import re

import griffe


class ArgumentLists(griffe.Extension):
    """Told of every function and class whose text is to be shown."""

    def on_function(self, *, func: griffe.Function, **_: object) -> None:
        """Lists the function's arguments."""
        self._list(func, func)

    def on_class_members(self, *, cls: griffe.Class, **_: object) -> None:
        """Lists those that the class is made with: __init__'s, or the fields of a dataclass."""
        self._list(cls, cls.members.get("__init__"))

    def _list(self, shown: griffe.Object, function: griffe.Object | griffe.Alias | None) -> None:
        if shown.docstring is not None:
            names = [parameter.name for parameter in getattr(function, "parameters", ())]
            names += [name for name in getattr(shown, "attributes", {}) if shown.is_class]
            shown.docstring.value = listed(shown.docstring.value, names)


def listed(text: str, names: list[str]) -> str:
    """The text, its paragraphs of `name: ... other, third: ...` as lists."""
    if not names:
        return text
    name = "|".join(map(re.escape, names))
    start = re.compile(rf"(?:^|(?<=[.;] ))((?:{name})(?:, (?:{name}))*): ")
    paragraphs = []
    for paragraph in text.split("\n\n"):
        line = " ".join(paragraph.split())
        parts = start.split(line)  # text before, names, text, names, text ...
        few = len(parts) < (5 if parts[0] else 3)
        if few or paragraph.lstrip().startswith(("-", "```", ">>>")):
            paragraphs.append(paragraph)
            continue
        if parts[0]:
            paragraphs.append(parts[0].strip())
        told = zip(parts[1::2], parts[2::2], strict=True)
        entries = (f"- **{called}**: {what.strip().rstrip(';')}" for called, what in told)
        paragraphs.append("\n".join(entries))
    return "\n\n".join(paragraphs)
