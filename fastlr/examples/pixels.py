"""Pixels as uint8: read as they are, an eighth of the memory of float64, and the coefficients as a picture."""

import numpy as np
from sklearn.model_selection import train_test_split

from fastlr import LogisticRegression
from fastlr.datasets import load_sign_digits
from fastlr.plotting import plot_coefficients

images = load_sign_digits(digits=(0, 1))  # drawn hands that show 0 or 1, 64 by 64 pixels
X = images.images.reshape(len(images.images), -1)
X_train, X_test, y_train, y_test = train_test_split(X, images.target, test_size=0.15, random_state=42)
print(f"X: {X.shape[0]} images of {X.shape[1]} pixels, {X.dtype}, {X.nbytes / 1e6:.1f} MB")

model = LogisticRegression(C=1e-6).fit(X_train, y_train)  # pixels from 0 to 255 need small coefficients
print(f"{100 * model.score(X_test, y_test):.1f} % of the test images are right, gap {model.gap_:.0e}")

same = LogisticRegression(C=1e-6).fit(X_train.astype(np.float64), y_train)
print(f"a float64 copy gives the same coefficients, to {np.abs(same.coef_ - model.coef_).max():.0e}")

plot_coefficients(model, shape=(64, 64)).figure.savefig("pixels.png")
