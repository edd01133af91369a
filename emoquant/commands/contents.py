"""The command ``contents``: what an archive holds."""

from pathlib import Path


def contents(archive: Path) -> None:
    """Print what an archive of compressed utterances holds: number, name, frames, coded bytes and lambda of each.

    Lines before the table, which begin with ``#``, say what all of them have in common: encoder, target, trimming.

    Args:
        archive: File that ``emoquant compress INPUT OUT.emq CODEC`` wrote.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no archive, or its index is damaged.
    """
    from emoquant.codecs.archive import read_archive

    found = read_archive(archive)
    for key, value in found.settings.items():
        print(f"# {key}: {value}")
    print("number\tname\tframes\tbytes\tlambda")
    for number in range(len(found)):
        name = found.names[number] if found.names else ""
        print(number, name, found.frames[number], found.sizes[number], f"{found.lmbdas[number]:g}", sep="\t")
