"""Numbers of things in sentences."""


def counted(number: int, noun: str, plural: str = "") -> str:
    """ "1 picture", "1,200 pictures", "0 pictures"; a plural that is made otherwise is given: "2 classes"."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
