"""Makes caffe_pb2.py: reads what caffe.proto uses of proto2.

What protoc writes wants a protobuf of at least its own version where it runs; this runs with any since 2022.
"""

import os
import re
from pathlib import Path
from typing import Any

SCALARS = (
    "double float int64 uint64 int32 fixed64 fixed32 bool string group message bytes uint32 enum".split()
)
LABELS = {"optional": 1, "required": 2, "repeated": 3}
TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:[^"\\]|\\.)*"|[A-Za-z_][\w.]*|-?[\d.][\w.+-]*|[{}=;\[\],]', re.S)
MODULE = '''"""Generated from {name} by build_proto.py."""

from google.protobuf import descriptor_pool
from google.protobuf.internal import builder

DESCRIPTOR = descriptor_pool.Default().AddSerializedFile({serialized!r})
builder.BuildMessageAndEnumDescriptors(DESCRIPTOR, globals())
builder.BuildTopDescriptorsAndMessages(DESCRIPTOR, {module!r}, globals())
'''


class Reader:
    """Turns the tokens of a file into descriptors."""

    def __init__(self, text: str) -> None:
        found = (match.group() for match in TOKEN.finditer(text))
        self.tokens = [token for token in found if not token.startswith(("//", "/*"))]

    def take(self, wanted: str | None = None) -> str:
        """The next token, which must be `wanted` if that is given."""
        token = self.tokens.pop(0) if self.tokens else ""
        if wanted is not None and token != wanted:
            raise ValueError(f"{wanted!r} wanted, {token!r} found before {' '.join(self.tokens[:8])}")
        return token

    def file(self, name: str) -> Any:
        """The FileDescriptorProto of the whole."""
        from google.protobuf.descriptor_pb2 import FileDescriptorProto

        file = FileDescriptorProto(name=name)
        while self.tokens:
            kind = self.take()
            if kind == "syntax":
                self.take("=")
                if self.take() != '"proto2"':
                    raise ValueError("only proto2 is understood")
                self.take(";")
            elif kind == "package":
                file.package = self.take()
                self.take(";")
            else:
                self.block(kind, file.message_type, file.enum_type)
        resolve(file.message_type, {f".{file.package}": file})
        return file

    def block(self, kind: str, messages: Any, enums: Any) -> None:
        """A message or an enum."""
        if kind == "message":
            self.message(messages.add(name=self.take()))
        elif kind == "enum":
            enum = enums.add(name=self.take())
            self.take("{")
            while (name := self.take()) != "}":
                self.take("=")
                enum.value.add(name=name, number=int(self.take()))
                self.take(";")
        else:
            raise ValueError(f"{kind!r} is not understood")

    def message(self, message: Any) -> None:
        """What stands between the braces of a message."""
        self.take("{")
        while (kind := self.take()) != "}":
            if kind in LABELS:
                self.field(message.field.add(label=LABELS[kind]))
            else:
                self.block(kind, message.nested_type, message.enum_type)

    def field(self, field: Any) -> None:
        """A field behind its label."""
        kind = self.take()
        if kind in SCALARS:
            field.type = SCALARS.index(kind) + 1
        else:
            field.type_name = kind
        field.name = self.take()
        self.take("=")
        field.number = int(self.take())
        if (token := self.take()) == "[":
            while token != "]":
                name = self.take()
                self.take("=")
                value = self.take()
                if name == "default":
                    field.default_value = value.strip('"')
                elif name == "packed":
                    field.options.packed = value == "true"
                else:
                    raise ValueError(f"the option {name} is not understood")
                token = self.take()
            token = self.take()
        if token != ";":
            raise ValueError(f"';' wanted behind {field.name}, {token!r} found")


def resolve(messages: Any, scopes: dict[str, Any]) -> None:
    """Gives the fields of messages and enums their full names; scopes: from the package inwards."""
    for message in messages:
        inner = scopes | {f"{list(scopes)[-1]}.{message.name}": message}
        for field in message.field:
            if not field.type_name:
                continue
            for path, scope in reversed(inner.items()):
                nested = scope.nested_type if hasattr(scope, "nested_type") else scope.message_type
                is_message = any(m.name == field.type_name for m in nested)
                if is_message or any(e.name == field.type_name for e in scope.enum_type):
                    field.type = 11 if is_message else 14
                    field.type_name = f"{path}.{field.type_name}"
                    break
            else:
                raise ValueError(f"{message.name}.{field.name}: no message or enum {field.type_name}")
        resolve(message.nested_type, inner)


def read(source: Path) -> Any:
    """The FileDescriptorProto of a .proto file."""
    return Reader(source.read_text()).file(source.name)


def write_module(source: Path, target: Path) -> None:
    """Writes the Python module of a .proto file."""
    serialized = read(source).SerializeToString()
    text = MODULE.format(name=source.name, serialized=serialized, module=target.stem)
    own = target.with_suffix(f".{os.getpid()}")
    own.write_text(text)
    os.replace(own, target)
