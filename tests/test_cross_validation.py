from sklearn.utils.estimator_checks import parametrize_with_checks

from fastlr import LogisticRegressionCV


@parametrize_with_checks([LogisticRegressionCV(Cs=[0.01, 0.1], cv=3)])
def test_scikit_learns_estimator_checks(estimator, check):
    check(estimator)
