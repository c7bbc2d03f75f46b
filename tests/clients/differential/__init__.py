"""Generated statements whose answers are compared with DuckDB's: `make differential SEED=… STATEMENTS=…`.

`world` makes the same rows in four formats, served to a reader of everything and to an analyst who sees a part, and gives DuckDB the
same. `forms` says what can be asked of values, in the words of both; `query` makes statements of it; `compare` judges two answers;
`reasons` names why two right answers may differ; `shrink` makes a statement smaller that still differs.
"""
