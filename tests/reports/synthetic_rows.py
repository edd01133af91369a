"""Rows as a sweep writes them, with effects of known size."""

import math

from emoquant.storage.results import Row

EMOTIONS = ("angry", "happy", "neutral", "sad", "surprise")
CLASSES = (*EMOTIONS, "fear", "unknown")
LAMBDAS = (0.0, 0.0001, 0.1, 1.0, 10.0, 100.0, 500.0)


def make_row(codec, point, emotion, metric, value, n=20, stratum="all", spread=0.04):
    return Row("esd", codec, point, emotion, metric, value, value - spread, value + spread, n, stratum, "speakers")


def trained_rows(codec, *emotions):
    """Return what a codec was trained on, equally many utterances of each emotion, as an evaluation writes it."""
    share = 1 / len(emotions)
    return [Row("esd", codec, math.nan, emotion, "trained_on", share, math.nan, math.nan, 0) for emotion in emotions]


def kept(point, emotion):
    """What is left of an emotion at a lambda: 1 at first, neutral for good, the others a decade apart."""
    if math.isnan(point) or emotion == "neutral":
        return 1.0
    return 1.0 / (1.0 + point / (2.0 * (1 + EMOTIONS.index(emotion))))


def sweep_rows(codec="esd", points=LAMBDAS, unquantized=True):
    rows = []
    for point in (*((math.nan,) if unquantized else ()), *points):
        name = "none" if math.isnan(point) else codec
        for emotion in EMOTIONS:
            left = kept(point, emotion)
            figures = {"recall": 0.9 * left, "utterance_similarity": left - 0.1, "f1": left * 0.8}
            if name != "none":
                figures |= {
                    "bits_per_frame": 200 * left,
                    "distortion": 300 * (1.001 - left),
                    "distinct_outputs": 20 * left,
                }
                figures |= {f"drift_to_{target}": (1 - left) / 2 for target in ("neutral", "mean")}
                figures |= {"drift_to_skip": math.nan, "excess_drift_to_neutral": (1 - left) / 3}
                figures |= {f"distance_to_{target}": left for target in ("neutral", "mean", "skip")}
                figures |= {f"similarity_to/{target}": left if target == emotion else 1 - left for target in EMOTIONS}
                figures |= {f"attraction/{target}": 30 * (left - 1) for target in EMOTIONS}
            figures |= {f"predicted/{name}": 0.0 for name in CLASSES}
            figures["predicted/neutral"] = 0.9 * (1 - left)
            figures[f"predicted/{emotion}"] = 0.9 * left + (0.9 * (1 - left) if emotion == "neutral" else 0.0)
            figures |= {"predicted/fear": 0.06, "predicted/unknown": 0.04}
            rows += [make_row(name, point, emotion, metric, value) for metric, value in figures.items()]
        pooled = sum(kept(point, emotion) for emotion in EMOTIONS) / len(EMOTIONS)
        figures = {"uar": 0.9 * pooled, "accuracy": 0.9 * pooled, "utterance_similarity": pooled - 0.1}
        if name != "none":
            figures |= {"bits_per_frame": 200 * pooled, "distortion": 300 * (1.001 - pooled), "skip_rate": 1 - pooled}
            figures |= {"codebook_perplexity": 1 + 40 * pooled, "codebook_usage": pooled}
        rows += [make_row(name, point, "all", metric, value, n=100) for metric, value in figures.items()]
    return rows
