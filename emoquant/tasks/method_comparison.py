"""Recognition by codebooks held against recognition by the classifier, with operating points that validation chose."""

from typing import Any, cast

from lightning.fabric.utilities import move_data_to_device
from torchmetrics import Metric

from emoquant.codecs.base import Codec
from emoquant.interfaces.access import data_of
from emoquant.interfaces.protocols import EmotionData
from emoquant.metrics import CodebookChoice, SweepMetrics
from emoquant.metrics.methods import Methods, method_rows
from emoquant.metrics.sums import synced
from emoquant.storage.results import Row
from emoquant.tasks.evaluation import CodecEvaluationTask


class MethodComparisonTask(CodecEvaluationTask):
    """An evaluation whose codecs and choices are also held against each other, utterance by utterance.

    Beside all that :class:`CodecEvaluationTask` measures there is Macro-F1 among the emotions of the corpus: of every
    operating point on the validation split, which chooses one for each codec and choice; at the chosen one on the test
    split; and what each has over ``references``, with an interval that is paired and clustered by speaker
    (:func:`~emoquant.metrics.methods.method_rows`). Of folds these figures are each fold's own.

    Args:
        codecs: The codecs, as :mod:`emoquant.codecs.specs` spells them.
        references: Names of codecs or choices that the others are held against; ``none`` are the features before
            coding, heard by the classifier.
        **settings: See :class:`CodecEvaluationTask`.
    """

    def __init__(self, codecs: list[dict[str, Any] | str | Codec], references: list[str], **settings: Any) -> None:  # noqa: ANN401
        super().__init__(codecs, **settings)
        self.references = list(references)
        self._methods: Methods | None = None
        self._held: Methods | None = None

    def extend(self, sweep: SweepMetrics, data: EmotionData) -> None:
        """Count decisions on the validation split, and prepare to count those on the test split.

        Raises:
            ValueError: There are no validation utterances, or a reference is neither a codec nor a choice.
        """
        ways = sweep.ways()
        names = [way.name for way in ways]
        unknown = [name for name in self.references if name not in names]
        if unknown:
            raise ValueError(f"references names {', '.join(unknown)}: expected some of {', '.join(names)}")
        if not len(data.dataset("validation").lengths):
            raise ValueError(
                f"{data.name} has no validation utterances, on which operating points are chosen: split it otherwise"
            )
        speakers = len(data.speakers)
        held = Methods(ways, data.emotions, speakers).to(self.device)
        for batch in data.val_dataloader():
            sweep.decide(move_data_to_device(batch, self.device), held)
        self._held = held
        self._methods = sweep.methods = Methods(ways, data.emotions, speakers).to(self.device)

    def on_test_epoch_end(self) -> None:
        """Add up what all processes measured and counted."""
        super().on_test_epoch_end()
        if not self.rows or self._methods is None or self._held is None:
            return
        data = data_of(self.trainer)
        held, found = (
            [synced(cast(Metric, each)).cpu() for each in methods.decided] for methods in (self._held, self._methods)
        )
        self.rows += method_rows(data.name, self._methods.ways, held, found, self.references)
        self.rows += self._rates(data)

    def _rates(self, data: EmotionData) -> list[Row]:
        """Return the rates of choices whose codecs have points at the same rates."""
        rows = []
        for choice in (cast(CodebookChoice, each) for each in self.choices):
            rates = [point.rate for point in self._placed.get(choice.needed[0], ())] if choice.by_place else []
            for point, rate in zip(choice.points[len(choice.points) - len(rates) :], rates, strict=True):
                rows.append(Row.known(data.name, choice.name, "target_bits_per_frame", rate, point))
        return rows
