"""Writes small Parquet files as pyarrow does, each of 50 rows: `vector` of 4 numbers, `name`, `label`.

Number i of all vectors is i / 8 - 3, label r is r - 5, and name r is "name {r % 10 * 10 + r // 10}".

Needs: pyarrow 26.0.
Run:   python goldens/parquet/make.py
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).parent
ROWS, WIDTH = 50, 4

numbers = [[(row * WIDTH + place) / 8 - 3 for place in range(WIDTH)] for row in range(ROWS)]
names = [f"name {row % 10 * 10 + row // 10}" for row in range(ROWS)]
labels = [row - 5 for row in range(ROWS)]


def write(name, vectors, names, labels, **options):
    table = pa.table({"label": labels, "vector": pa.array(numbers, vectors), "name": names})
    pq.write_table(table, HERE / name, **options)


write("lists-snappy.parquet", pa.list_(pa.float32()), pa.array(names), pa.array(labels, pa.int64()), row_group_size=20)
write(
    "fixed-zstd.parquet",
    pa.list_(pa.float32(), WIDTH),
    pa.array(names, pa.large_string()),
    pa.array(labels, pa.int8()),
    compression="zstd",
    data_page_version="2.0",
)
write(
    "doubles-gzip.parquet",
    pa.large_list(pa.float64()),
    pa.array(names).dictionary_encode(),
    pa.array(labels, pa.int32()),
    compression="gzip",
)
write("halves-lz4.parquet", pa.list_(pa.float16()), pa.array(names), pa.array(labels, pa.int16()), compression="lz4")
