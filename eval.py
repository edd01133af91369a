"""Evaluation: ``python eval.py test --config configs/eval/lambda_sweep.yaml``."""

from emoquant.cli import evaluate

if __name__ == "__main__":
    evaluate()
