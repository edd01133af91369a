"""Blends in clips: are both emotions of a pair of references heard, and which is stronger?"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from emoquant.codecs.base import Codec
from emoquant.encoders.base import EmotionHead
from emoquant.interfaces.protocols import SpokenData
from emoquant.metrics.blends import Thresholds, Truth, hits, truth_of
from emoquant.metrics.recognition import class_columns
from emoquant.tasks.blends import require_two_emotions, thresholds_from
from emoquant.voice.clips import Clip


def require_blends(classifier: EmotionHead, data: SpokenData) -> None:
    """Check that blends can be scored.

    Raises:
        ValueError: The classifier has no class for an emotion, or the validation split has no two emotions.
    """
    class_columns(data.emotions, classifier.labels)
    require_two_emotions(torch.as_tensor(data.dataset("validation").emotions), data.name)


class BlendListener:
    """Says of clips of two references whether both emotions are heard, and in their proportion (BLEMORE).

    How a blend is heard in probabilities is decided on recordings of the validation split, as in
    :class:`~emoquant.tasks.blends.BlendTask`. Weights of a mixture are the truth; equal parts without a codec.

    Args:
        classifier: The classifier, on a device.
        data: The data module.
        codecs: The codecs of the run.
        partners: Emotion of the second reference by that of the first.
        device: Device of the classifier.

    Raises:
        ValueError: As :func:`require_blends`.
    """

    def __init__(
        self,
        classifier: EmotionHead,
        data: SpokenData,
        codecs: Sequence[Codec],
        partners: Mapping[str, str],
        device: torch.device | str = "cpu",
    ) -> None:
        require_blends(classifier, data)
        self.emotions, self.columns = list(data.emotions), class_columns(data.emotions, classifier.labels)
        self.truths: dict[str, Truth | None] = {each.name: truth_of(each, data.emotions, partners) for each in codecs}
        split = data.dataset("validation")
        vectors = [split.frames[row].float().mean(0).cpu() for row in range(len(split.utterances))]
        heard = torch.stack(vectors), torch.as_tensor(split.emotions), torch.as_tensor(split.speakers)
        self.thresholds: Thresholds = thresholds_from(*heard, self.emotions, classifier, device)

    def __call__(self, clip: Clip, logits: Tensor) -> Clip:
        """Return the clip with presence and salience of its blend; as it is where it is none.

        Args:
            clip: A clip; one of a single reference is no blend.
            logits: The classifier's, ``(K,)``.
        """
        truth = self.truths.get(clip.codec)
        if truth is None or not clip.partner_emotion:
            return clip
        likely = logits.cpu()[self.columns].double().softmax(-1)
        first, second = (each[self.emotions.index(clip.emotion)][None] for each in truth[:2])
        presence, salience = hits(likely[None], first, second, truth.share, self.thresholds)[0].tolist()
        clip = clip._replace(presence=float(presence))
        return clip._replace(salience=float(salience)) if int(second) >= 0 else clip
