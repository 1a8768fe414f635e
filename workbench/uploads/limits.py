"""How much of a stranger's file is taken in. What is beyond is refused before it is read whole."""

FILE_BYTES = 50_000_000
UNPACKED_BYTES = 200_000_000
ROWS = 50_000
FILES = 10_000  # in an archive
RATIO = 200  # of an archive's entry, unpacked to packed; pictures and sounds hardly shrink, and text by 3 to 20
COLUMNS = 200
DEPTH = 8  # of folders, and of types inside types
VALUES = 500_000_000  # pixels of all pictures, or samples of all sounds
VALUES_EACH = 50_000_000
SECONDS = 30  # of a processor; a machine that measures lets nobody else have much of it
WAIT = 300.0  # seconds until the answer
MEMORY_BYTES = 2_000_000_000

WRONG_SHOWN = 20
ROWS_SHOWN = 8
LABELS_SHOWN = 20
ROWS_TYPED = 1000  # from which a column's type is read
