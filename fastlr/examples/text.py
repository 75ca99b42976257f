"""Text: which of two libraries a docstring is from, by its words; most words get a coefficient of 0."""

import numpy as np
import scipy.special
import scipy.stats
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import train_test_split

from fastlr import LogisticRegression
from fastlr.plotting import plot_coefficients


def docstrings(module):
    """Texts of the public functions of a module."""
    found = [getattr(getattr(module, name), "__doc__", None) for name in module.__all__]
    return [text for text in found if isinstance(text, str) and len(text) > 200]


special, stats = docstrings(scipy.special), docstrings(scipy.stats)
labels = np.repeat(["special", "stats"], [len(special), len(stats)])
texts_train, texts_test, y_train, y_test = train_test_split(special + stats, labels, random_state=0, stratify=labels)

words = TfidfVectorizer(token_pattern=r"[a-z]{3,}", min_df=2)
X_train, X_test = words.fit_transform(texts_train), words.transform(texts_test)  # CSR, read as it is
model = LogisticRegression(l1_ratio=1.0, C=10).fit(X_train, y_train)
print(f"{X_train.shape[0]} texts, {X_train.shape[1]} words, {np.count_nonzero(model.coef_)} with a coefficient")
print(f"{100 * model.score(X_test, y_test):.1f} % of the test texts are right")

model.feature_names_in_ = words.get_feature_names_out()
plot_coefficients(model, n_named=15).figure.savefig("text.png")
