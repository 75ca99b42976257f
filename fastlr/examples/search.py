"""Choose C by cross-validation: fifty fits and the last one as one problem, and a look at the scores."""

from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from fastlr import LogisticRegressionCV
from fastlr.plotting import plot_calibration, plot_cv

X, y = load_breast_cancer(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
scale = StandardScaler().fit(X_train)

options = {"scoring": "neg_log_loss", "l1_ratios": (0.0,), "use_legacy_attributes": False}
model = LogisticRegressionCV(Cs=10, cv=5, **options).fit(scale.transform(X_train), y_train)
print(f"C={model.C_:.3g} of {model.scores_.size} fits, each within {model.gaps_.max():.0e} of its optimum")
print(f"log-loss of the test samples: {-model.score(scale.transform(X_test), y_test):.3f}")

plot_cv(model).figure.savefig("search.png")
plot_calibration(model, scale.transform(X_test), y_test, n_bins=5).figure.savefig("calibration.png")
