import pytest
from synthetic_rows import EMOTIONS, sweep_rows, trained_rows


@pytest.fixture(scope="session")
def rows():
    return sweep_rows()


@pytest.fixture
def biased_rows():
    rows = []
    for emotion in EMOTIONS:
        rows += sweep_rows(f"ecvq_{emotion}", (0.0, 10.0, 100.0), unquantized=False)
        rows += trained_rows(f"ecvq_{emotion}", emotion)
    return rows


@pytest.fixture
def strata_rows(rows):
    strata = ("agreement<=0.5", "0.5<agreement<=1", "speaker=0011", "speaker=0012")
    parts = [row for row in rows if row.metric in ("recall", "f1", "drift_to_neutral", "drift_to_mean")]
    return [*rows, *(row._replace(stratum=stratum, n=5) for stratum in strata for row in parts)]
