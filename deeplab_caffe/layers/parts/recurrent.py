"""What LSTM and RNN share: sequences, their beginnings, the state from one forward to the next."""

from abc import abstractmethod
from collections.abc import Callable
from math import prod
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from ...autograd import layer_function
from ...types import Shape
from ..base import Layer, shapes_of
from .canonical import linear

# Of rows (n, inputs): weights and bias by number among the blobs (None: no bias).
Linear = Callable[[Tensor, int, int | None], Tensor]


class Recurrent(Layer):
    """`recurrent_param { num_output, weight_filler, bias_filler, expose_hidden }`.

    Bottoms: x (T, N, ...), cont (T, N): 0 where a sequence begins, else 1, [x_static (N, ...)], and with
    expose_hidden the state before the first step, (1, N, D) each. Tops: the outputs (T, N, D), and with
    expose_hidden the state behind the last step. Without it the state stays in the layer for the next
    forward, as in the original: 0 in the first, and behind `seek`.
    """

    remembers = True
    states: ClassVar[int]  # tensors that make the state; the first are the hidden values
    gates: ClassVar[int] = 1  # sums for each hidden value

    on_device = True
    bottom_count = (2, None)
    top_count = (1, None)

    @override
    def setup(self) -> None:
        self.param = self.definition.param.recurrent_param
        self.size: int = self.param.num_output
        if self.size < 1:
            raise self.error("num_output", "missing or 0")
        exposed = self.states if self.param.expose_hidden else 0
        bottoms, tops = len(self.definition.bottoms), len(self.definition.tops)
        if not 2 + exposed <= bottoms <= 3 + exposed:
            raise self.error("bottom", f"{bottoms} given, {2 + exposed} or {3 + exposed} wanted")
        if tops != 1 + exposed:
            raise self.error("top", f"{tops} given, {1 + exposed} wanted")
        self.static = bottoms == 3 + exposed
        self._state: list[Tensor] = []

    @override
    def seek(self, passes: int) -> None:
        super().seek(passes)
        self._state = []

    @override
    def shape(self, bottoms: list[Shape]) -> list[Shape]:
        x, cont, *others = bottoms
        if len(x) < 2 or cont != x[:2]:
            raise self.error("bottom", f"x {x} and cont {cont}: (T, N, ...) and (T, N) wanted")
        state = (1, x[1], self.size)
        if self.static and (not others[0] or others[0][0] != x[1]):
            raise self.error("bottom", f"x_static {others[0]}: (N, ...) with N = {x[1]} wanted")
        for hidden in others[self.static :]:
            if hidden != state:
                raise self.error("bottom", f"state {hidden} given, {state} wanted")
        return [(x[0], x[1], self.size), *[state] * (len(self.definition.tops) - 1)]

    @override
    def blob_shapes(self, bottoms: list[Shape]) -> list[Shape]:
        """Weights and bias of x, [weights of x_static], weights of the hidden values."""
        rows, inputs = self.gates * self.size, prod(bottoms[0][2:])
        static = [(rows, prod(bottoms[2][1:]))] if self.static else []
        return [(rows, inputs), (rows,), *static, (rows, self.size)]

    @override
    def fillers(self) -> list[object]:
        weights = self.param.weight_filler
        return [weights, self.param.bias_filler, *[weights] * (2 if self.static else 1)]

    @property
    def own(self) -> int:
        """Number of the blob with the weights of the hidden values."""
        return 3 if self.static else 2

    @abstractmethod
    def step(
        self, sums: Tensor, state: list[Tensor], cont: Tensor, run: Linear, exact: bool
    ) -> tuple[Tensor, list[Tensor]]:
        """Output (N, D) and state of one step, from the state before it, (N, D) each.

        sums: (N, gates D), what the weights make of x, of x_static and of the hidden values; cont: (N,);
        exact: in the original's roundings, else in torch's differentiable operators.
        """

    def unrolled(
        self,
        x: Tensor,
        cont: Tensor,
        static: Tensor | None,
        state: list[Tensor],
        run: Linear,
        exact: bool,
    ) -> tuple[Tensor, list[Tensor]]:
        """Outputs (T, N, D) and the last state; x: (T, N, inputs), static: (N, inputs) or None."""
        of_x = run(x.flatten(0, 1), 0, 1).view(*x.shape[:2], -1)
        of_static = None if static is None else run(static, 2, None)
        outputs = []
        for t in range(len(x)):
            # 0 in place of the hidden values where a sequence begins
            sums = run(state[0] * cont[t].unsqueeze(1), self.own, None) + of_x[t]
            if of_static is not None:
                sums = sums + of_static
            output, state = self.step(sums, state, cont[t], run, exact)
            outputs.append(output)
        return torch.stack(outputs), state

    @override
    def forward(self, bottoms: list[Tensor], tops: list[Tensor]) -> None:
        def run(rows: Tensor, weights: int, bias: int | None) -> Tensor:
            chosen = None if bias is None else self.blobs[bias]
            return linear(rows, self.blobs[weights], chosen, self.context.threads)

        outputs, last = self._run(bottoms, run, self._state, exact=True)
        self._keep(last)
        for top, value in zip(tops, [outputs, *last], strict=False):
            top.copy_(value.view(top.shape))

    @override
    def formula(self, bottoms: list[Tensor], blobs: list[Tensor]) -> list[Tensor]:
        return self._formula(bottoms, blobs, self._state)[0]

    @override
    def forward_fast(self, bottoms: list[Tensor]) -> list[Tensor]:
        tops, last = self._formula(bottoms, [blob.values() for blob in self.blobs], self._state)
        self._keep(last)
        return tops

    @override
    def forward_train(self, bottoms: list[Tensor]) -> list[Tensor]:
        """The gradients are those from the state before this forward, which `forward` replaces."""
        before = self._state
        blobs: list[Tensor] = [blob.tensor for blob in self.blobs]
        single = all(x.dtype == torch.float32 for x in (*bottoms, *blobs))
        if self.context.precision == "exact" and single:
            return layer_function(self._tops, lambda x, w: self._formula(x, w, before)[0], bottoms, blobs)
        tops, last = self._formula(bottoms, blobs, before)
        self._keep(last)
        return tops

    def _formula(
        self, bottoms: list[Tensor], blobs: list[Tensor], before: list[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Tops and the last state in torch's operators, from the state `before`."""

        def run(rows: Tensor, weights: int, bias: int | None) -> Tensor:
            chosen = None if bias is None else blobs[bias].to(rows.dtype)
            return functional.linear(rows, blobs[weights].to(rows.dtype), chosen)

        outputs, last = self._run(bottoms, run, before, exact=False)
        shapes = self.shape(shapes_of(bottoms))
        return [v.view(s) for v, s in zip([outputs, *last], shapes, strict=False)], last

    def _run(
        self, bottoms: list[Tensor], run: Linear, before: list[Tensor], exact: bool
    ) -> tuple[Tensor, list[Tensor]]:
        x, cont, *others = bottoms
        static = others[0].flatten(1) if self.static and others[0].dim() > 1 else None
        if self.static and static is None:
            static = others[0].unsqueeze(1)
        given = [hidden.reshape(-1, self.size) for hidden in others[self.static :]]
        state = given or self._started(before, x)
        steps = x.flatten(2) if x.dim() > 2 else x.unsqueeze(2)
        return self.unrolled(steps, cont, static, state, run, exact)

    def _keep(self, last: list[Tensor]) -> None:
        """Remembers the state for the next forward, unless callers give it."""
        if not self.param.expose_hidden:
            self._state = [value.detach() for value in last]

    def _started(self, before: list[Tensor], x: Tensor) -> list[Tensor]:
        """The state that the forward before has left, 0 where that was none of this many sequences."""
        kept = [value.to(x) for value in before if value.shape == (x.shape[1], self.size)]
        return kept if len(kept) == self.states else [x.new_zeros(x.shape[1], self.size)] * self.states
