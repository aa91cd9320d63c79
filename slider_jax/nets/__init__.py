"""Networks: linen modules whose fields are sizes."""
