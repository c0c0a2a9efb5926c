"""Pictures for people: charts, and boxes on photographs."""
