"""What helps against each cause.

remedy       each remedy's name and advice
on_trial     a remedy applied to a trial of the laboratory
discussion   what speaks for and against each remedy
"""
