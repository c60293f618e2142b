"""What all doors (burn, admin, API, plan files) do with what people give: limits of JSON, words for refusals."""
