"""A Parquet file that need not fit into memory: row groups are read anew for each pass."""

import numpy as np
import pandas as pd
from scipy.special import expit

from fastlr import LogisticRegression

rng = np.random.default_rng(0)
table = pd.DataFrame(rng.normal(size=(20_000, 5)), columns=["age", "income", "visits", "days", "clicks"])
table["bought"] = rng.random(20_000) < expit(table["income"] - 0.5 * table["days"] - 1)
table.iloc[:15_000].to_parquet("train.parquet", row_group_size=5_000)
table.iloc[15_000:].to_parquet("test.parquet")

model = LogisticRegression().fit("train.parquet", "bought")  # the name of the column of labels
print(f"{model.n_passes_} passes over the file, gap {model.gap_:.0e}")
for name, value in zip(model.feature_names_in_, model.coef_[0], strict=True):
    print(f"{name:>8}{value:8.3f}")
print(f"{100 * model.score('test.parquet', 'bought'):.1f} % of the other file's rows are right")
