"""The API's OpenAPI document: operations, schemas and examples."""
