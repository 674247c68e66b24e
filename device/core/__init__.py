"""The bottom room: values, contract, errors and roles; standard library, NumPy and pydantic only."""
