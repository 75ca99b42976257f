"""From no feature to many: fits for a hundred values of C, each from the one before, and how they came in."""

from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler

import fastlr
from fastlr.plotting import plot_path

data = load_breast_cancer()
X = StandardScaler().fit_transform(data.data)
path = fastlr.path(X, data.target, Cs=100, max_features=12)
print(f"{len(path.Cs)} fits in {path.n_passes} passes over X, each within {path.gaps.max():.0e} of its optimum")
for n_features in (1, 2, 4, 8):
    k = (path.n_active >= n_features).argmax()
    names = data.feature_names[path.coefs[k].toarray()[0] != 0]
    print(f"C={path.Cs[k]:8.4f}, {100 * path.deviances[k]:4.1f} % of the deviance: {', '.join(names)}")

plot_path(path).figure.savefig("l1_path.png")
