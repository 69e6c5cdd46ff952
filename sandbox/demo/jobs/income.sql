-- 各县（市、区）、性别的人数与收入均值；不满 20 人的组不出 / persons and mean income by county and sex
CREATE TABLE income_by_county AS
SELECT district,
       sex,
       count(*) AS persons,
       CAST(round(avg(income), -2) AS BIGINT) AS mean_income
FROM residents
GROUP BY district, sex
HAVING count(*) >= 20
ORDER BY district, sex;
