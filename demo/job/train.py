"""Trains a classifier of handwritten numerals on scikit-learn's digits and says how often it is right.

The 1,797 scans ship inside scikit-learn, so the job needs no network. What it measured is in accuracy.json, what it
learned in model.json.
"""

import json
import os

# Matrices this small are slower on many threads; set before numpy is loaded.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

digits = load_digits()
train_x, test_x, train_y, test_y = train_test_split(digits.data, digits.target, test_size=0.25, random_state=7)
print(f"{len(digits.data)} scans: {len(train_x)} to learn from, {len(test_x)} to be judged by", flush=True)

# From little to much freedom. Each strength is judged by twenty-fold cross-validation on the scans to learn from, so that
# the choice has not seen the scans it is judged by in the end.
best = None
for strength in (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0):
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=5_000, tol=1e-6))
    score = cross_val_score(model, train_x, train_y, cv=20).mean()
    print(f"C = {strength:<6}  cross-validated accuracy {score:.4f}", flush=True)
    if best is None or score > best[0]:
        best = (score, strength, model)

score, strength, model = best
model.fit(train_x, train_y)
accuracy = accuracy_score(test_y, model.predict(test_x))
print(f"chosen C = {strength}, accuracy {accuracy:.4f} on scans it has not seen", flush=True)
classifier = model[-1]
with open("accuracy.json", "w") as file:
    json.dump({"accuracy": accuracy, "scans": len(digits.data), "tested": len(test_x), "C": strength}, file)
with open("model.json", "w") as file:
    json.dump({"coefficients": classifier.coef_.tolist(), "intercepts": classifier.intercept_.tolist()}, file)
