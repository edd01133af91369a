"""The page: one records or uploads speech, moves lambda and codebook, sees the emotion move, and hears it."""

import signal
from pathlib import Path
from typing import Any

import numpy as np

from emoquant.app.drawing import draw_map
from emoquant.app.workbench import CHARACTERS, LONGEST, Hearing, Workbench
from emoquant.reports.quantities import point_text

#: Largest file that is taken.
UPLOAD = "20mb"
_SYSTEM = ("system-ui", "sans-serif")
_INTRODUCTION = (
    "# Quantize an emotion\n"
    f"Record or upload up to {LONGEST:.0f} seconds of speech. Its emotion features are coded with fewer and fewer bits "
    "as \u03bb rises; the map shows where that leads among the emotions of the training corpus. Everything stays on "
    "this machine."
)


class Page:
    """The page of a workbench.

    Args:
        bench: The workbench.

    Raises:
        ImportError: Gradio is not installed.
    """

    def __init__(self, bench: Workbench) -> None:
        self.bench = bench
        self._gradio = _load_gradio()
        self.blocks = self._build()

    def launch(self, host: str = "127.0.0.1", port: int | None = None, wait: bool = True) -> str:
        """Serve the page, and return its address. What was uploaded is removed at the end.

        Args:
            host: Network interface; this machine alone by default.
            port: Port; a free one from 7860 on by default.
            wait: Whether to go on until it is stopped.
        """
        themes = self._gradio.themes
        theme = themes.Base(font=_SYSTEM, font_mono=("ui-monospace", "monospace"))  # no fonts from the network
        _, address, _ = self.blocks.queue(max_size=16, default_concurrency_limit=1).launch(
            server_name=host, server_port=port, max_file_size=UPLOAD, share=False, prevent_thread_lock=True,
            theme=theme, footer_links=[], quiet=True, ssr_mode=False,
        )  # fmt: skip
        if wait:
            ended = signal.signal(signal.SIGTERM, signal.default_int_handler)  # as by Ctrl+C, which removes uploads
            try:
                print(f"Open {address} in a browser; Ctrl+C ends it.")
                self.blocks.block_thread()
            finally:
                signal.signal(signal.SIGTERM, ended)
        return str(address)

    def show(self, recording: str | None, codec: str, point: float) -> tuple[Any, ...]:
        """Return lambda in words, the map and the table for a recording, a codec and the index of a lambda."""
        points = self.bench.codecs[codec].points
        at = min(int(point), len(points) - 1)
        hearing = self._hear(recording, codec)
        said = f"**\u03bb = {point_text(points[at])}** of {', '.join(map(point_text, points))}"
        return said, draw_map(self.bench.atlas, hearing, at), self._table(hearing, at)

    def fit(self, codec: str, point: float) -> Any:  # noqa: ANN401 (an update of a slider)
        """Return the slider with as many steps as a codec has lambdas."""
        last = len(self.bench.codecs[codec].points) - 1
        return self._gradio.Slider(maximum=last, value=min(int(point), last))

    def speak(
        self,
        recording: str | None,
        codec: str,
        point: float,
        text: str,
        speaker: str,
        style: bool,
        intensity: float = 1.0,
    ) -> tuple[tuple[int, np.ndarray[Any, Any]], tuple[int, np.ndarray[Any, Any]]]:
        """Return the text spoken with the recording's emotion, unquantized and quantized: rate and samples of each."""
        hearing = self._hear(recording, codec)
        if hearing is None or recording is None or self.bench.synthesizer is None:
            raise self._gradio.Error("Record or upload speech first.")
        rate = self.bench.synthesizer.voice.facts.mel.sample_rate
        heard = Path(recording) if style else None
        at = min(int(point), len(hearing.points) - 1)
        try:
            both = (hearing.before, hearing.after[at])
            spoken = [self.bench.speak(text, emotion, speaker, heard, intensity) for emotion in both]
        except ValueError as error:
            raise self._gradio.Error(str(error)) from error
        plain, coded = ((speech.waveform.clamp(-1, 1).numpy() * 32767).astype(np.int16) for speech in spoken)
        return (rate, plain), (rate, coded)

    def _hear(self, recording: str | None, codec: str) -> Hearing | None:
        if recording is None:
            return None
        try:
            return self.bench.hear(Path(recording), codec)
        except (ValueError, OSError) as error:
            raise self._gradio.Error(str(error).replace(str(recording), "the recording")) from error

    def _table(self, hearing: Hearing | None, at: int) -> list[list[str]]:
        if hearing is None:
            return []
        both = (hearing.before, hearing.after[at])
        rows = [[f"similarity to {name}", *(f"{self.bench.atlas.similarities(each.vector)[name]:.3f}" for each in both)]
                for name in self.bench.atlas.emotions]  # fmt: skip
        heard = [["heard as", *map(self.bench.heard_as, both)]] if self.bench.head is not None else []
        rate = (
            ["bits per frame", "\u2013", f"{both[1].bits:.1f}"],
            ["skipped codes", "\u2013", f"{100 * both[1].skips:.1f} %"],
        )
        return [*heard, *rows, *rate]

    def _build(self) -> Any:  # noqa: ANN401 (a class of a package that may be missing)
        gr, names = self._gradio, list(self.bench.codecs)
        with gr.Blocks(title="Quantize an emotion", analytics_enabled=False, delete_cache=(3600, 3600)) as blocks:
            gr.Markdown(_INTRODUCTION)
            with gr.Row():
                with gr.Column():
                    recording = gr.Audio(sources=["upload", "microphone"], type="filepath", label="Speech", buttons=[])
                    codec = gr.Radio(names, value=names[0], label="Codebook", visible=len(names) > 1)
                    point = gr.Slider(
                        0,
                        len(self.bench.codecs[names[0]].points) - 1,
                        0,
                        step=1,
                        label="\u03bb, from all bits to hardly any",
                    )
                    said = gr.Markdown()
                    table = gr.Dataframe(headers=["", "before", "after"], label="Measured", interactive=False)
                with gr.Column():
                    shown = gr.Plot(draw_map(self.bench.atlas), label="Among the emotions", show_label=False)
                    self._build_voice(recording, codec, point)
            inputs, outputs = [recording, codec, point], [said, shown, table]
            codec.change(self.fit, [codec, point], point, show_progress="hidden", api_name=False)
            for event in (recording.change, codec.change, point.change, blocks.load):
                event(self.show, inputs, outputs, show_progress="hidden", trigger_mode="always_last", api_name=False)
        return blocks

    def _build_voice(self, *sources: Any) -> None:  # noqa: ANN401 - gradio, which may be missing
        gr, synthesizer = self._gradio, self.bench.synthesizer
        if synthesizer is None:
            gr.Markdown("No voice was given (`--voice`), so nothing is spoken here.")
            return
        speakers = list(synthesizer.voice.facts.speakers)
        text = gr.Textbox("The boat came back.", label="Say", max_length=CHARACTERS)
        with gr.Row():
            speaker = gr.Dropdown(speakers, value=speakers[0], label="Speaker")
            style = gr.Checkbox(False, label="local style of the recording, too (condition B)")
        neutral = "neutral" in self.bench.atlas.emotions
        intensity = gr.Slider(
            0, 1.5, 1, step=0.05, visible=neutral, label="Intensity: 0 neutral, 1 as recorded, up to 1.5"
        )
        button = gr.Button("Speak", variant="primary")
        plain, coded = (
            gr.Audio(label="Unquantized", interactive=False, buttons=["download"]),
            gr.Audio(label="At this \u03bb", interactive=False, buttons=["download"]),
        )
        given = [*sources, text, speaker, style, intensity]
        button.click(self.speak, given, [plain, coded], api_name=False)


def _load_gradio() -> Any:  # noqa: ANN401 - gradio, which may be missing
    try:
        import gradio
    except ImportError as error:
        raise ImportError(f"the page needs Gradio ({error}); install it with: pip install -e '.[app]'") from error
    return gradio
