"""Races, submissions and standings: drivers race from their bundle only, on the organiser's computer."""
