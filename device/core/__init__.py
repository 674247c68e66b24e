"""The bottom room: values, contract, errors, roles; standard library, NumPy and pydantic only."""
